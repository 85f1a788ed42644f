"""A forward proxy on loopback that remembers what it was asked: CONNECT, and plain requests by their absolute
address."""

import base64
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socket import create_connection
from urllib.parse import urlsplit

HEAD_BYTES_MAX = 65_536
NAMES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Every variable by which a proxy may be given."""


@dataclass
class Asked:
    """One request: its first line and its headers, the names in lower case."""

    line: str
    headers: dict[str, str]


@dataclass
class RecordingProxy:
    url: str
    routes: Mapping[str, str]
    """`host:port` as it is asked for, to the `host:port` that is dialled; anything else is answered with 502."""
    password: str | None = None
    """Required as Basic authorization of user `user`, or 407."""
    asked: list[Asked] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Names it in every way in which a proxy is named, and exempts nothing."""
        return dict.fromkeys(NAMES, self.url) | {"no_proxy": "", "NO_PROXY": ""}


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
            more = self.request.recv(HEAD_BYTES_MAX)
            if not more:
                return
            head += more
        head, _, rest = head.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        proxy = self.server.proxy
        proxy.asked.append(Asked(line, headers))
        if proxy.password is not None:
            expected = base64.b64encode(f"user:{proxy.password}".encode()).decode()
            if headers.get("proxy-authorization") != f"Basic {expected}":
                self._answer("407 Proxy Authentication Required")
                return
        method, target, version = line.split(" ")
        asked = target if method == "CONNECT" else urlsplit(target).netloc
        if asked not in proxy.routes:
            self._answer("502 Bad Gateway")
            return
        host, _, port = proxy.routes[asked].rpartition(":")
        with create_connection((host, int(port)), 20) as upstream:
            if method == "CONNECT":
                self.request.sendall(f"{version} 200 Connection established\r\n\r\n".encode())
            else:
                path = target.partition(asked)[2] or "/"
                kept = [each for each in lines if not each.lower().startswith(("proxy-", "connection:"))]
                upstream.sendall(
                    "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""]).encode("latin-1")
                )
            upstream.sendall(rest)
            back = threading.Thread(target=_pipe, args=(upstream, self.request), daemon=True)
            back.start()
            _pipe(self.request, upstream)
            back.join()

    def _answer(self, status: str) -> None:
        self.request.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _pipe(source, target) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(1)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    proxy: RecordingProxy

    def handle_error(self, _request, _client_address) -> None:
        """A peer that left."""


@contextmanager
def recording_proxy(routes: Mapping[str, str] | None = None, password: str | None = None) -> Iterator[RecordingProxy]:
    """Runs in a thread of its own until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.proxy = RecordingProxy(f"http://127.0.0.1:{server.server_address[1]}", routes or {}, password)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            thread.join()
