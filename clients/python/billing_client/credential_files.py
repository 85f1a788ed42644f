"""TLS files of a client, read again when they change: certificates are renewed while the process runs."""

import ssl
import threading
import time
from collections.abc import Callable

import grpc

from billing_client.options import ClientOptions

LOOKED_AT_EVERY_S = 1.0
RETIRED_S = 300.0
"""How long a channel is kept after another took its place: the longest time that a call is given by default."""


class CredentialFiles:
    """Says when a channel must be made anew, since gRPC's own never reads its files again. Safe to share among
    threads."""

    def __init__(self, options: ClientOptions, monotonic: Callable[[], float] = time.monotonic) -> None:
        """OSError when a file can't be read."""
        self._options = options
        self._monotonic = monotonic
        files = (options.ca_file, options.certificate_file, options.private_key_file)
        self._paths = tuple(path for path in files if path is not None)
        self._signature = self._read_signature()
        self._look_at_s = monotonic() + LOOKED_AT_EVERY_S if self._paths else float("inf")
        self._lock = threading.Lock()

    def renewed(self) -> grpc.ChannelCredentials | None:
        """New credentials; None to go on with those there are, also while the files do not fit together."""
        if self._monotonic() < self._look_at_s or not self._lock.acquire(blocking=False):
            return None
        try:
            self._look_at_s = self._monotonic() + LOOKED_AT_EVERY_S
            signature = self._read_signature()
            if signature == self._signature:
                return None
            self._check()
            credentials = self._options.credentials()
            if signature != self._read_signature():
                return None
            self._signature = signature
        except (OSError, ssl.SSLError):  # files are replaced one after the other: the next look finds the rest
            return None
        else:
            return credentials
        finally:
            self._lock.release()

    def _read_signature(self) -> tuple[tuple[int, int, int], ...]:
        stats = [path.stat() for path in self._paths]
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)

    def _check(self) -> None:
        """gRPC finds out only in the middle of a handshake whether certificate and key belong together."""
        options, context = self._options, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if options.certificate_file is not None:
            context.load_cert_chain(options.certificate_file, options.private_key_file, password="")
        if options.ca_file is not None:
            context.load_verify_locations(options.ca_file)
