"""Certificates, and a relay in front of a server: it speaks TLS where the server can't, and answers as no real server
would."""

import os
import pwd
import select
import shutil
import socket
import ssl
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme

from tests.support.databases import fast_directory

TLS_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def unprivileged():
    """Options that make a program run as another user than root, whom PostgreSQL and pgbouncer refuse."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def private_directory(prefix):
    """A directory that the unprivileged user may write to."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=fast_directory()))
    try:
        if not os.geteuid():
            os.chown(path, unprivileged()["user"], unprivileged()["group"])
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def own_file(path, text, mode=0o600):
    """A file of the unprivileged user."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    if not os.geteuid():
        os.chown(path, unprivileged()["user"], unprivileged()["group"])
    return path


class Authority:
    """Signs certificates; `file` is what clients trust."""

    def __init__(self, directory):
        self.directory = directory
        self._own = trustme.CA()
        self.file = own_file(directory / f"authority-{id(self)}.pem", self._own.cert_pem.bytes(), 0o644)

    def certify(self, *names, **options):
        """(certificate chain, key) as files."""
        made = self._own.issue_cert(*names, **options)
        stem = self.directory / f"{names[0] if names else options['common_name']}-{id(made)}"
        chain = own_file(
            stem.with_name(stem.name + ".crt"), b"".join(pem.bytes() for pem in made.cert_chain_pems), 0o644
        )
        return chain, own_file(stem.with_name(stem.name + ".key"), made.private_key_pem.bytes())


class Relay:
    """In front of a server, it answers the request for TLS: with this certificate, or with a no. `direct_port` begins
    with TLS."""

    def __init__(self, server, certificate=None, client_authority=None):
        self._socket = f"{server.directory}/.s.PGSQL.{server.port}"
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
            self._context.set_alpn_protocols(["postgresql"])
            if client_authority is not None:
                self._context.load_verify_locations(client_authority.file)
                self._context.verify_mode = ssl.CERT_REQUIRED
        self.connections = 0
        """Those that got as far as the server."""
        self._closing, self._close = socket.socketpair()
        self._threads = []
        self._clients = []

    def __enter__(self):
        self.port, self.direct_port = self._listen(self._asked), self._listen(self._direct)
        return self

    def __exit__(self, *_):
        self._close.close()
        for client in self._clients:
            with suppress(OSError):  # it hung up, or speaks TLS by now and is looked after in `_pass_on`
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._closing.close()

    def _listen(self, greet):
        listener = socket.create_server(("127.0.0.1", 0))
        self._run(self._accept, listener, greet)
        return listener.getsockname()[1]

    def _run(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener, greet):
        with listener:
            while self._closing not in select.select([listener, self._closing], [], [])[0]:
                self._run(self._serve, listener.accept()[0], greet)

    def _serve(self, client, greet):
        client.settimeout(10)
        self._clients.append(client)
        with suppress(OSError), client:
            client, first = greet(client)
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self._socket)
                self.connections += 1
                server.sendall(first)
                self._pass_on(client, server)

    def _asked(self, client):
        first = client.recv(8)
        if first != TLS_REQUEST:
            return client, first
        client.sendall(b"N" if self._context is None else b"S")
        return (client, client.recv(65_536)) if self._context is None else self._direct(client)

    def _direct(self, client):
        assert self._context is not None, "direct TLS needs a certificate"
        return self._context.wrap_socket(client, server_side=True), b""

    def _pass_on(self, client, server):
        while True:
            has_more = isinstance(client, ssl.SSLSocket) and client.pending()
            ready = [client] if has_more else select.select([client, server, self._closing], [], [])[0]
            if self._closing in ready:
                return
            for source, target in ((client, server), (server, client)):
                if source in ready:
                    data = source.recv(65_536)
                    if not data:
                        return
                    target.sendall(data)


@contextmanager
def silent_port():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def closing_port():
    """A port that takes connections, reads what it is told first, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_hang_up, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _hang_up(listener):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            client.recv(65_536)
