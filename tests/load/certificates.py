"""Authorities and the files of one service and its clients, replaced one after the other as an operator would."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import trustme


@dataclass(frozen=True)
class Files:
    """What a process with a certificate is given."""

    ca: Path
    chain: Path
    key: Path


class Certificates:
    """`servers` and `clients` are the authorities of today; `rotated` makes others."""

    def __init__(self, directory):
        self._directory = directory
        self.servers, self.clients = trustme.CA(), trustme.CA()
        self.server = Files(directory / "clients-ca.pem", directory / "server.pem", directory / "server.key")
        self._trust(self.server.ca, self.clients)
        self._certify(self.server, self.servers, "127.0.0.1")
        self.callers = {}

    def caller(self, name):
        """Files of a client with this name in its certificate."""
        files = Files(
            self._directory / f"{name}-ca.pem", self._directory / f"{name}.pem", self._directory / f"{name}.key"
        )
        self._trust(files.ca, self.servers)
        self._certify(files, self.clients, name)
        self.callers[name] = files
        return files

    def renew_server(self):
        self._certify(self.server, self.servers, "127.0.0.1")

    def certify_server(self, authority, name, **validity):
        """A certificate that clients should not accept."""
        self._certify(self.server, authority, name, **validity)

    def renew_callers(self, authority):
        for name, files in self.callers.items():
            self._certify(files, authority, name)

    def callers_trust(self, *authorities):
        for files in self.callers.values():
            self._trust(files.ca, *authorities)

    def server_trusts(self, *authorities):
        self._trust(self.server.ca, *authorities)

    def _certify(self, files, authority, name, **validity):
        issued = authority.issue_cert(name, **validity)
        _replace(files.chain, b"".join(part.bytes() for part in issued.cert_chain_pems))
        _replace(files.key, issued.private_key_pem.bytes())

    def _trust(self, path, *authorities):
        _replace(path, b"".join(authority.cert_pem.bytes() for authority in authorities))


def _replace(path, content):
    """Whole or not at all, as certificates are put in place."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def presenting(servers, authority, *names, **validity):
    """Credentials of a client that has them in memory, and so never others."""
    issued = authority.issue_cert(*names, **validity)
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    return grpc.ssl_channel_credentials(servers.cert_pem.bytes(), issued.private_key_pem.bytes(), chain)


def expired():
    """Validity of a certificate that ended yesterday."""
    now = datetime.now(UTC)
    return {"not_before": now - timedelta(days=2), "not_after": now - timedelta(days=1)}
