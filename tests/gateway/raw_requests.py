"""Bytes that are nearly HTTP/1.1: requests built whole, then damaged in their grammar, their framing and their
bytes."""

import random
from dataclasses import dataclass

from tests.gateway.gateway_bench import PATH, event, signature

GOOD = event()
ENDS = ("eof", "abort", "stay", "stay", "stay")
"""How the sender leaves: says that it is done, resets the connection, or waits to be cut."""
METHODS = (
    b"GET",
    b"PUT",
    b"post",
    b"POST\x00",
    b"P\xc3\x96ST",
    b"PRI",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"X" * 9000,
    b"",
    b" POST",
    b"PO ST",
)
TARGETS = (
    b"/",
    b"*",
    b"//g/webhooks/stripe",
    b"http://g/webhooks/stripe",
    b"http://[::1/x",
    b"g:80",
    b"/webhooks/stripe?" + b"q" * 9000,
    b"/webhooks%2fstripe",
    b"/webhooks/stripe%00",
    b"/webhooks/stripe\x00",
    b"/webhooks/stripe#f",
    b"/webhooks/\xff\xfe",
    b"/webhooks/../webhooks/stripe",
    b"/%",
    b"/healthz",
    b"",
)
VERSIONS = (
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"HTTP/9.9",
    b"HTTP/1.1 x",
    b"HTTP/1.",
    b"http/1.1",
    b"HTTP/11",
    b"",
    b"HTTP/1.1\r",
)
LENGTHS = (
    b"0",
    b"1",
    b"+5",
    b"-1",
    b"0x10",
    b"5,5",
    b"5, 6",
    b"1_0",
    b"1e3",
    b"",
    b" ",
    b"\xef\xbc\x95",
    b"262145",
    b"9" * 30,
    b"5\x00",
    b"00000000005",
)
CODINGS = (
    b"chunked",
    b"chunked, chunked",
    b"chunked, identity",
    b"gzip, chunked",
    b"xchunked",
    b"Chunked ",
    b"\x0bchunked",
    b"chunked;q=1",
    b"identity",
    b"",
)
LINES = (
    b"Transfer-Encoding : chunked",
    b"Content-Length : 5",
    b"X:",
    b": x",
    b"no colon",
    b" folded",
    b"\tfolded",
    b"X: a\r\n folded",
    b"X: a\x00b",
    b"X: a\rb",
    b"X: a\nTransfer-Encoding: chunked",
    b"X\xc3\xa9: a",
    b"X: \xff\xfe",
    b"X Y: a",
    b"X: " + b"h" * 8200,
    b"X: " + b"h" * 70_000,
    b"H" * 9000 + b": x",
    b"\r\n".join(b"X-%d: 1" % number for number in range(3000)),
    b"Host: other",
    b"Host: a b\x7f",
    b"Expect: 100-continue",
    b"Expect: 200-ok",
    (
        b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
        b"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    ),
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Connection: keep-alive, close",
    b"Connection: \xff",
    b"Content-Encoding: gzip",
    b"Content-Type: multipart/form-data; boundary=x",
    b"Content-Type: \x00;;;=",
    b"Cookie: a=b; =; \xff",
    b"Range: bytes=0-0,-1",
    b"Trailer: Stripe-Signature",
    b"If-Modified-Since: yesterday",
)
CHUNKS = (
    b"0",
    b"-5",
    b"+5",
    b"0x5",
    b"5_0",
    b" 5",
    b"5 ",
    b"5;x=y",
    b"5;" + b"x" * 9000,
    b"5;\x00",
    b"5\xff",
    b"",
    b"f" * 17,
    b"FFFFFFFFFFFFFFFF",
    b"7fffffffffffffff",
    b"zz",
    b"0" * 5000 + b"5",
)
TRAILERS = (
    b"X: y",
    b"X: " + b"t" * 9000,
    b"bad trailer",
    b"Content-Length: 5",
    b"Stripe-Signature: t=1,v1=0",
    b" folded",
    b"X: \x00",
)
SPLICES = (
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b":",
    b" ",
    b"\t",
    b"\xff",
    b"chunked",
    b"0\r\n\r\n",
    b"HTTP/1.1",
    b"POST / HTTP/1.1\r\n",
    b"%",
    b";",
)


@dataclass(frozen=True)
class RawConnection:
    """What a sender sends, piece by piece, and how it leaves."""

    pieces: tuple[bytes, ...]
    end: str


def raw_connections(seed: int, count: int):
    """One to three requests of a connection, one or more of them damaged."""
    pick = random.Random(seed)
    for _ in range(count):
        requests = [_request(pick, damages=pick.choice((0, 0, 1, 1, 2))) for _ in range(pick.choice((1, 1, 1, 2, 3)))]
        data = bytearray(b"".join(requests))
        for _ in range(pick.choice((0, 0, 0, 1, 3))):
            _damage(pick, data)
        yield RawConnection(tuple(_pieces(pick, bytes(data))), pick.choice(ENDS))


def _request(pick, damages):  # noqa: C901 - a table of damages
    line = [b"POST", PATH.encode(), b"HTTP/1.1"]
    body = pick.choice((GOOD, GOOD, GOOD, event(id="evt_2"), b"{}"))
    headers = [b"Host: gateway", b"Stripe-Signature: " + signature(pick.choice((body, body, body, GOOD))).encode()]
    size, trailers = b"%x" % len(body), []
    chunked = pick.random() < 0.4
    headers.append(b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body))
    for _ in range(damages):
        match pick.randrange(10):
            case 0:
                line[0] = pick.choice(METHODS)
            case 1:
                line[1] = pick.choice(TARGETS)
            case 2:
                line[2] = pick.choice(VERSIONS)
            case 3:
                headers.append(b"Content-Length: " + pick.choice(LENGTHS))
            case 4:
                headers.append(b"Transfer-Encoding: " + pick.choice(CODINGS))
            case 5 | 6:
                headers.insert(pick.randrange(len(headers) + 1), pick.choice(LINES))
            case 7:
                size, chunked = pick.choice(CHUNKS), True
            case 8:
                trailers.append(pick.choice(TRAILERS))
            case 9:
                del headers[pick.randrange(len(headers) + 1) :]
    end = pick.choice((b"\r\n",) * 9 + (b"\n",))
    head = end.join((b" ".join(line), *headers, b"", b""))
    return head + (_in_chunks(body, size, trailers) if chunked else body)


def _in_chunks(body, size, trailers):
    half = len(body) // 2
    first = b"%x\r\n%s\r\n" % (half, body[:half]) if size == b"%x" % len(body) and half else b""
    rest = body[half:] if first else body
    size = b"%x" % len(rest) if first else size
    return first + size + b"\r\n" + rest + b"\r\n0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"


def _damage(pick, data):
    at = pick.randrange(len(data) + 1)
    match pick.randrange(6):
        case 0:
            data[at : at + 1] = bytes([pick.randrange(256)])
        case 1:
            data[at:at] = pick.choice(SPLICES)
        case 2:
            del data[at : at + pick.choice((1, 2, 9, 80))]
        case 3:
            del data[at:]
        case 4:
            data[at:at] = data[at : at + 60]
        case 5:
            data[:] = data.replace(b"\r\n", pick.choice((b"\n", b"\r", b"\r\r\n")), pick.choice((1, 2, -1)))


def _pieces(pick, data):
    if pick.random() < 0.6:
        return [data]
    step = max(pick.choice((1, 7, 100)), len(data) // 200)
    return [data[at : at + step] for at in range(0, len(data), step)]
