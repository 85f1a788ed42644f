"""Bytes by which HTTP servers have been fooled, and what each must be answered; () is a connection that is cut without
an answer.

Whatever the first request smuggles behind itself stays unread: one answer, and the connection ends.
"""

from tests.gateway.gateway_bench import PATH, event, raw_delivery, signature

GOOD = event()
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: g\r\nStripe-Signature: {signature(GOOD)}\r\n".encode()
SIZE = b"%d" % len(GOOD)
HEX = b"%x" % len(GOOD)
DELIVERY = raw_delivery(GOOD, f"Content-Length: {len(GOOD)}") + GOOD
UNSIGNED = (
    f"POST {PATH} HTTP/1.1\r\nHost: g\r\nStripe-Signature: t=1,v1=00\r\nContent-Length: {len(GOOD)}\r\n\r\n".encode()
    + GOOD
)
REFUSED = (400,)
CUT = ()
TAKEN = (200,)


def chunked(*chunks, trailer=b"\r\n"):
    """GOOD's head, then these bytes as its chunks, as they stand."""
    return HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n" + trailer


def headed(*lines, body=GOOD):
    return HEAD + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


WHOLE = HEX + b"\r\n" + GOOD + b"\r\n"
CORPUS = {
    "a good delivery": (DELIVERY, [TAKEN]),
    "a good delivery in chunks": (chunked(WHOLE), [TAKEN]),
    "an extension of a chunk": (chunked(HEX + b";name=value\r\n" + GOOD + b"\r\n"), [TAKEN]),
    "a trailer": (chunked(WHOLE, trailer=b"X: y\r\n\r\n"), [TAKEN]),
    "a trailer that would be a signature": (chunked(WHOLE, trailer=b"Stripe-Signature: t=1,v1=00\r\n\r\n"), [TAKEN]),
    # Two framings: whichever a proxy in front believes, the other end must not be read as a request.
    "length before chunks": (
        headed(b"Content-Length: " + SIZE, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + UNSIGNED),
        [REFUSED],
    ),
    "chunks before length": (
        headed(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + UNSIGNED),
        [REFUSED],
    ),
    "two lengths": (headed(b"Content-Length: " + SIZE, b"Content-Length: 5"), [REFUSED]),
    "the same length twice": (headed(b"Content-Length: " + SIZE, b"Content-Length: " + SIZE), [REFUSED]),
    "a list of lengths": (headed(b"Content-Length: " + SIZE + b", " + SIZE), [REFUSED]),
    "a length with a sign": (headed(b"Content-Length: +" + SIZE), [REFUSED]),
    "a negative length": (headed(b"Content-Length: -1"), [REFUSED]),
    "a length in hexadecimal": (headed(b"Content-Length: 0x" + HEX), [REFUSED]),
    "an underscored length": (headed(b"Content-Length: 1_0"), [REFUSED]),
    "a length in full-width digits": (headed("Content-Length: \uff15".encode()), [REFUSED]),
    "an empty length": (headed(b"Content-Length: "), [REFUSED]),
    "a length past 64 bits": (headed(b"Content-Length: 18446744073709551621"), [REFUSED]),
    "a length under a name with a blank": (headed(b"Content-Length : " + SIZE), [REFUSED]),
    "chunks under a name with a blank": (headed(b"Transfer-Encoding : chunked", body=WHOLE + b"0\r\n\r\n"), [REFUSED]),
    "a coding that is not chunked": (headed(b"Transfer-Encoding: xchunked", body=WHOLE + b"0\r\n\r\n"), [REFUSED]),
    "chunked and then another coding": (
        headed(b"Transfer-Encoding: chunked, identity", body=WHOLE + b"0\r\n\r\n"),
        [REFUSED],
    ),
    "chunked twice": (headed(b"Transfer-Encoding: chunked, chunked", body=WHOLE + b"0\r\n\r\n"), [REFUSED]),
    "a coding behind a vertical tab": (headed(b"Transfer-Encoding: \x0bchunked", body=WHOLE + b"0\r\n\r\n"), [REFUSED]),
    "chunks of HTTP/1.0": (
        headed(b"Transfer-Encoding: chunked", body=WHOLE + b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
        [TAKEN, REFUSED],
    ),
    # Sizes of chunks.
    "a chunk's size with a sign": (chunked(b"+" + WHOLE), [REFUSED]),
    "a negative chunk": (chunked(b"-" + WHOLE), [REFUSED]),
    "a chunk's size with 0x": (chunked(b"0x" + WHOLE), [REFUSED]),
    "an underscored chunk": (chunked(b"1_0\r\n" + GOOD[:16] + b"\r\n"), [REFUSED]),
    "a chunk past 64 bits": (chunked(b"f" * 17 + b"\r\n" + GOOD + b"\r\n"), [REFUSED]),
    "a chunk of nearly 64 bits": (headed(b"Transfer-Encoding: chunked", body=b"7ffffffffffffff0\r\n" + GOOD), [CUT]),
    "a chunk longer than its size": (chunked(b"5\r\n" + GOOD + b"\r\n"), [REFUSED]),
    "a chunk without an end": (chunked(HEX + b"\r\n" + GOOD), [REFUSED]),
    "an extension with a bare line feed": (chunked(HEX + b";a\nb\r\n" + GOOD + b"\r\n"), [REFUSED]),
    "chunks that end with line feeds": (chunked(WHOLE.replace(b"\r\n", b"\n")), [REFUSED]),
    "a trailer that is none": (chunked(WHOLE, trailer=b"no colon\r\n\r\n"), [REFUSED]),
    "a large trailer": (chunked(WHOLE, trailer=b"X: " + b"t" * 70_000 + b"\r\n\r\n"), [REFUSED]),
    # Lines and headers.
    "bare line feeds": (DELIVERY.replace(b"\r\n", b"\n"), [REFUSED]),
    "bare carriage returns": (DELIVERY.replace(b"\r\n", b"\r"), [REFUSED]),
    "a header in two lines": (headed(b"X: a\r\n b", b"Content-Length: " + SIZE), [REFUSED]),
    "a signature in two lines": (DELIVERY.replace(b",v1=", b",\r\n v1="), [REFUSED]),
    "a NUL in a header": (headed(b"X: a\x00b", b"Content-Length: " + SIZE), [REFUSED]),
    "a NUL in a name": (headed(b"X\x00: a", b"Content-Length: " + SIZE), [REFUSED]),
    "a carriage return in a header": (
        headed(b"X: a\rTransfer-Encoding: chunked", b"Content-Length: " + SIZE),
        [REFUSED],
    ),
    "a name without a colon": (headed(b"Transfer-Encoding", b"Content-Length: " + SIZE), [REFUSED]),
    "no name": (headed(b": chunked", b"Content-Length: " + SIZE), [REFUSED]),
    "no host": (DELIVERY.replace(b"Host: gateway\r\n", b""), [REFUSED]),
    "two hosts": (headed(b"Host: h", b"Content-Length: " + SIZE), [REFUSED]),
    "a header of 70,000 bytes": (headed(b"X: " + b"h" * 70_000, b"Content-Length: " + SIZE), [REFUSED]),
    "ten thousand headers": (
        headed(*(b"X-%d: 1" % number for number in range(10_000)), b"Content-Length: " + SIZE),
        [REFUSED],
    ),
    "a signature of 9,000 bytes": (DELIVERY.replace(b",v1=", b",v2=" + b"x" * 9000 + b",v1="), [REFUSED]),
    # The request's line.
    "a target of 9,000 bytes": (DELIVERY.replace(b"stripe HTTP", b"stripe?" + b"q" * 9000 + b" HTTP"), [REFUSED]),
    "a method of 9,000 bytes": (b"X" * 9000 + DELIVERY[4:], [REFUSED]),
    "a lower-case method": (b"post" + DELIVERY[4:], [REFUSED]),
    "a blank in the target": (DELIVERY.replace(b"stripe HTTP", b"stripe /x HTTP"), [REFUSED]),
    "a NUL in the target": (DELIVERY.replace(b"stripe HTTP", b"stripe\x00 HTTP"), [REFUSED]),
    "an unknown version": (DELIVERY.replace(b"HTTP/1.1", b"HTTP/9.9"), [REFUSED]),
    "no version": (DELIVERY.replace(b" HTTP/1.1", b""), [TAKEN, REFUSED]),
    "a tunnel": (DELIVERY.replace(b"POST " + PATH.encode(), b"CONNECT g:80"), [(404,), REFUSED]),
    "everything, asked with *": (DELIVERY.replace(b"POST " + PATH.encode(), b"OPTIONS *"), [(404,), REFUSED]),
    "another protocol": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", [REFUSED]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 64, [REFUSED]),
    "an upgrade to a web socket": (
        headed(b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: " + SIZE),
        [REFUSED, TAKEN],
    ),
    "an upgrade with a request behind it": (
        headed(b"Connection: upgrade", b"Upgrade: h2c", b"Content-Length: " + SIZE) + UNSIGNED,
        [REFUSED, TAKEN, (200, 400), (400, 400)],
    ),
    # Several requests of one connection.
    "good, unsigned": (DELIVERY.replace(b"Connection: close\r\n", b"") + UNSIGNED, [(200, 400)]),
    "good, half": (DELIVERY.replace(b"Connection: close\r\n", b"") + DELIVERY[:-9], [TAKEN]),
    "unsigned, good": (UNSIGNED + DELIVERY, [(400, 200)]),
    "good inside the body of unsigned": (
        UNSIGNED.replace(b"Content-Length: " + SIZE, b"Content-Length: %d" % (len(GOOD) + len(DELIVERY))) + DELIVERY,
        [REFUSED],
    ),
    "unsigned after the last": (DELIVERY + UNSIGNED, [TAKEN, REFUSED]),
    "a hundred at once": (UNSIGNED * 100, [(400,) * 100]),
    "blank lines first": (b"\r\n" * 20 + DELIVERY, [TAKEN, REFUSED]),
}
