"""TLS of the gRPC server: certificates are read again when their files change, without a restart."""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. With `client_ca`, callers must present a certificate that it signed."""

    certificate: Path
    private_key: Path
    client_ca: Path | None = None

    def paths(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.certificate, self.private_key, self.client_ca) if path is not None)


class CertificateReloader:
    """Called by gRPC, in a thread of its own, before each handshake."""

    def __init__(self, files: TlsFiles, log: Any) -> None:
        """OSError or ssl.SSLError when the files can't be used now."""
        self._files = files
        self._log = log
        self._lock = threading.Lock()
        self._signature = self._read_signature()
        self.initial = self._load()

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration; None to go on with the one there is, also while the files do not fit together."""
        with self._lock:
            try:
                signature = self._read_signature()
                if signature == self._signature:
                    return None
                self._signature = signature
                loaded = self._load()
            except (OSError, ssl.SSLError) as error:
                # Files are replaced one after the other: the next handshake looks again, since their signature will
                # have changed.
                self._log.warning("tls_reload_refused", error=type(error).__name__)
                return None
            self._log.info("tls_reloaded")
            return loaded

    def _read_signature(self) -> tuple[tuple[int, int, int], ...]:
        stats = [path.stat() for path in self._files.paths()]
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)

    def _load(self) -> grpc.ServerCertificateConfiguration:
        # The standard library checks what gRPC would find out only in the middle of a handshake: that certificate and
        # key belong together.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._files.certificate, self._files.private_key)
        client_ca = None
        if self._files.client_ca is not None:
            context.load_verify_locations(self._files.client_ca)
            client_ca = self._files.client_ca.read_bytes()
        pair = (self._files.private_key.read_bytes(), self._files.certificate.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=client_ca)


def server_credentials(files: TlsFiles, log: Any) -> grpc.ServerCredentials:
    """Credentials for `add_secure_port`. With a client CA, a client without a certificate of it is refused in the
    handshake."""
    reloader = CertificateReloader(files, log)
    return grpc.dynamic_ssl_server_credentials(
        reloader.initial,
        reloader,  # type: ignore[arg-type]  # the stubs forget that None means no change
        require_client_authentication=files.client_ca is not None,
    )
