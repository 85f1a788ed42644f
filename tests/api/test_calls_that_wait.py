"""More calls at once than the service can begin: each is answered or refused with a reason, none is dropped."""

import asyncio
import struct
from collections import Counter
from contextlib import ExitStack, closing, suppress
from itertools import chain

from billing_service.api.server import ServerLimits
from billing_service.domain.refusals import Reason
from tests.api.edge_server import ANSWER, REQUEST, edge_server, eventually
from tests.support import http2
from tests.support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, frame

CONNECTIONS, STREAMS = 4, 900
IN_FLIGHT_MAX = 50
REFUSED = CONNECTIONS * STREAMS - IN_FLIGHT_MAX


def opened(connection):
    """The frames of all calls of a connection."""
    payload = REQUEST.SerializeToString()
    block = http2.header_block([
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/prepaid.billing.v1.BillingService/DeductCredits"),
        (":authority", connection.authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ])  # fmt: skip
    message = struct.pack(">BI", 0, len(payload)) + payload
    return b"".join(
        frame(HEADERS, END_HEADERS, number, block) + frame(DATA, END_STREAM, number, message)
        for number in range(1, 2 * STREAMS, 2)
    )


def ends(connection):
    """How each call of a connection ended, by its status; those that were cut off without one as well."""
    found = {}
    while len(found) < STREAMS:
        for heard in connection.receive():
            if heard.kind == HEADERS:
                found |= (
                    {heard.stream: block["grpc-status"]}
                    if "grpc-status" in (block := http2.decode_block(heard.payload))
                    else {}
                )
            elif heard.kind == RST_STREAM:
                found.setdefault(heard.stream, f"cut off {int.from_bytes(heard.payload, 'big')}")
    return list(found.values())


async def test_calls_that_wait_to_be_begun_are_not_dropped():
    release = asyncio.Event()

    async def waiting(_request, _call):
        await release.wait()
        return ANSWER

    async with edge_server(
        {"DeductCredits": waiting}, limits=ServerLimits(in_flight_max=IN_FLIGHT_MAX, grace_s=0.5)
    ) as edge:
        host, port = edge.address.split(":")
        with ExitStack() as stack:
            connections = [stack.enter_context(closing(http2.Connection(host, int(port)))) for _ in range(CONNECTIONS)]
            for connection in connections:  # on the loop's own thread: no call is begun before all have come
                connection.await_settings()
                connection.send(opened(connection))
            reading = asyncio.gather(*(asyncio.to_thread(ends, connection) for connection in connections))
            refusals = edge.server.edge.metrics.refusals
            with suppress(TimeoutError):  # then the counts below tell more
                await eventually(lambda: refusals[Reason.OVERLOADED] == REFUSED)
            release.set()
            ended = Counter(chain.from_iterable(await reading))
    assert ended == {"0": IN_FLIGHT_MAX, "8": REFUSED}
