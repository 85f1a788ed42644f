"""As much of HTTP/2 as one gRPC caller needs, at frame level, on a blocking socket.

The full gRPC client costs a core for 8,000 calls a second; scanning frame headers costs a tenth of that.
SETTINGS_HEADER_TABLE_SIZE 0 makes the server keep no header table. Each header block is then complete, so a block that
was decoded once never has to be decoded again.
"""

import socket
import struct
from typing import NamedTuple

from hpack import Decoder, Encoder

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW_SIZE = 1, 2, 3, 4

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW_BYTES = 65_535  # RFC 9113, 6.9.2
WINDOW_BYTES_MAX = 2**31 - 1
RECEIVE_BYTES_MAX = 1 << 18
SILENCE_S_MAX = 30.0  # a server that is silent for so long hangs

_FRAME_HEADER = struct.Struct(">IBI")  # length and type share the first four bytes
_FRAME_HEADER_BYTES = 9


class ProtocolError(Exception):
    """The server did something that this caller doesn't understand or HTTP/2 doesn't allow."""


class Frame(NamedTuple):
    """One frame of one stream."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return _FRAME_HEADER.pack(len(payload) << 8 | kind, flags, stream) + payload


def header_block(headers: list[tuple[str, str]]) -> bytes:
    """Encodes without touching the dynamic table, so that the same bytes serve every call."""
    return Encoder().encode([(name, value, True) for name, value in headers])


def decode_block(block: bytes) -> dict[str, str]:
    return {str(name): str(value) for name, value in Decoder().decode(block)}


class Connection:
    """One connection: opens large windows, answers SETTINGS and PING, hands frames of streams to the caller."""

    def __init__(self, host: str, port: int) -> None:
        self.authority = f"{host}:{port}"
        self.send_window_bytes = DEFAULT_WINDOW_BYTES
        self.stream_window_bytes = DEFAULT_WINDOW_BYTES
        self.streams_max = WINDOW_BYTES_MAX
        self.stream_windows: dict[int, int] = {}
        """What may still be sent on streams that send more than their first window; their opener puts them here."""
        self.going_away = False
        self._received_bytes = 0
        self._rest = b""
        self._socket = socket.create_connection((host, port), timeout=SILENCE_S_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = ((_HEADER_TABLE_SIZE, 0), (_ENABLE_PUSH, 0), (_INITIAL_WINDOW_SIZE, WINDOW_BYTES_MAX))
        payload = b"".join(struct.pack(">HI", name, value) for name, value in settings)
        window = struct.pack(">I", WINDOW_BYTES_MAX - DEFAULT_WINDOW_BYTES)
        self.send(PREFACE + frame(SETTINGS, 0, 0, payload) + frame(WINDOW_UPDATE, 0, 0, window))

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """So that several connections can be waited for at once."""
        return self._socket.fileno()

    def send(self, frames: bytes) -> None:
        self._socket.sendall(frames)

    def await_settings(self) -> None:
        """Waits until the server has spoken, so that its limits are known before the first call."""
        if self.receive():
            raise ProtocolError("frames of a stream that was never opened")

    def receive(self) -> list[Frame]:
        """Waits for bytes and returns the complete frames of streams among them, which may be none.

        Raises ConnectionError when the server closes, TimeoutError after SILENCE_S_MAX without a byte.
        """
        chunk = self._socket.recv(RECEIVE_BYTES_MAX)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        buffer = self._rest + chunk if self._rest else chunk
        frames: list[Frame] = []
        at, end = 0, len(buffer)
        while at + _FRAME_HEADER_BYTES <= end:
            length_and_kind, flags, stream = _FRAME_HEADER.unpack_from(buffer, at)
            after = at + _FRAME_HEADER_BYTES + (length_and_kind >> 8)
            if after > end:
                break
            kind = length_and_kind & 0xFF
            payload = buffer[at + _FRAME_HEADER_BYTES : after]
            at = after
            if kind == DATA:
                self._received_bytes += len(payload)
            if stream and kind in (DATA, HEADERS, RST_STREAM):
                if flags & PADDED or (kind == HEADERS and flags & (END_HEADERS | PRIORITY) != END_HEADERS):
                    raise ProtocolError(
                        f"frame type {kind} with flags {flags:#x}: padding, priority and continuation aren't understood"
                    )
                frames.append(Frame(kind, flags, stream, payload))
            else:
                self._control(kind, flags, stream, payload)
        self._rest = buffer[at:]
        self._reopen_window()
        return frames

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == _INITIAL_WINDOW_SIZE:
                    more = value - self.stream_window_bytes  # RFC 9113, 6.9.2: open streams get the difference
                    self.stream_windows = {number: window + more for number, window in self.stream_windows.items()}
                    self.stream_window_bytes = value
                elif name == _MAX_CONCURRENT_STREAMS:
                    self.streams_max = value
            self.send(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE and not stream:
            self.send_window_bytes += int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE and stream in self.stream_windows:
            self.stream_windows[stream] += int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.going_away = True
        elif kind == CONTINUATION:
            raise ProtocolError("a header block larger than one frame")

    def _reopen_window(self) -> None:
        """Gives back half of the connection's receive window once that much has arrived."""
        if self._received_bytes > WINDOW_BYTES_MAX // 2:
            self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self._received_bytes)))
            self._received_bytes = 0
