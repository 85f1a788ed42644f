"""A gRPC caller that misuses HTTP/2 on purpose."""

import struct
from typing import Self

from tests.support import http2
from tests.support.http2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, frame

CANCEL = struct.pack(">I", 8)
REFUSED_STREAM = struct.pack(">I", 7)


class HostileConnection(http2.Connection):
    """Blocking: to be used in a thread."""

    def __init__(self, address: str, path: str) -> None:
        host, port = address.rsplit(":", 1)
        self.goaway: tuple[int, bytes] | None = None
        """Code and words with which the server ended the connection."""
        super().__init__(host, int(port))
        self.await_settings()
        self._path = path
        self._stream = -1

    def headers(self, *more: tuple[str, str]) -> bytes:
        return http2.header_block([
            (":method", "POST"),
            (":scheme", "http"),
            (":path", self._path),
            (":authority", self.authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *more,
        ])  # fmt: skip

    def opened(self, block: bytes, message: bytes = b"", *, ends: bool = True) -> tuple[int, bytes]:
        """A new stream's number, and the frames that open it."""
        self._stream += 2
        frames = frame(HEADERS, END_HEADERS, self._stream, block)
        for at in range(0, len(message), 16_000):
            last = at + 16_000 >= len(message)
            frames += frame(DATA, END_STREAM if last and ends else 0, self._stream, message[at : at + 16_000])
        return self._stream, frames

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def overhear(self, until_silent_s: float, frames_max: int = 10**6) -> list[http2.Frame]:
        """Frames of streams: so many, or all until the server is silent for so long, or closes."""
        self._socket.settimeout(until_silent_s)
        heard: list[http2.Frame] = []
        try:
            while len(heard) < frames_max:
                heard += self.receive()
        except (TimeoutError, ConnectionError):
            pass  # which is what it waits for
        return heard

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == GOAWAY:
            self.goaway = (int.from_bytes(payload[4:8], "big"), payload[8:])
        if kind != CONTINUATION:
            super()._control(kind, flags, stream, payload)


def message(payload: bytes, *, compressed: bool = False, announced: int | None = None) -> bytes:
    """A gRPC message, which may announce another length than it has."""
    return struct.pack(">BI", compressed, len(payload) if announced is None else announced) + payload


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, 0, stream, CANCEL)
