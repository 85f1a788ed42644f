"""A drain beside callers whose bytes are under way: both the request that still arrives and the answer that still
leaves are waited for."""

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest
from prepaid.billing.v1 import transactions_pb2

from billing_service.api import server as api_server
from billing_service.api.server import ServerLimits
from tests.api.edge_server import ANSWER, REQUEST, TIMEOUT_S, edge_server, eventually
from tests.support.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    header_block,
)

METHODS = "/prepaid.billing.v1.BillingService/"
LIMITS = ServerLimits(grace_s=30)
LARGER_THAN_A_WINDOW = transactions_pb2.ListTransactionsResponse(next_page_token="x" * 200_000)
NO_MESSAGE = bytes(5)


@pytest.fixture
def polls(monkeypatch):
    """What a drain saw each time that it looked whether calls are left; it looks often, and is soon content."""
    seen, look = [], api_server._calls_handed_over

    def looked():
        seen.append(look())
        return seen[-1]

    monkeypatch.setattr(api_server, "_calls_handed_over", looked)
    monkeypatch.setattr(api_server, "IDLE_POLL_S", 0.01)
    monkeypatch.setattr(api_server, "IDLE_POLLS_MAX", 3)
    return seen


class SlowCaller:
    """One call over HTTP/2, as slow as a test wants it."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    def send(self, data):
        self._writer.write(data)

    def open_windows(self):
        wide = struct.pack(">I", 1 << 24)
        self.send(frame(WINDOW_UPDATE, 0, 0, wide) + frame(WINDOW_UPDATE, 0, 1, wide))

    async def receive(self, *, all_of_it=True):
        """What the answer's frames hold, to its end or the first of them."""
        received = b""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                received += payload if head[3] == DATA else b""
                if received and (not all_of_it or (head[3] == HEADERS and head[4] & END_STREAM)):
                    return received


@asynccontextmanager
async def calling(edge, method):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.server.port)
    names = {":method": "POST", ":scheme": "http", ":path": METHODS + method, ":authority": "a", "te": "trailers"}
    block = header_block([*names.items(), ("content-type", "application/grpc")])
    writer.write(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_HEADERS, 1, block))
    try:
        yield SlowCaller(reader, writer)
    finally:
        writer.close()


async def drained_for_long(edge, polls):
    """A drain that looked far more often than it looks when nothing is left."""
    stopping = asyncio.create_task(edge.server.stop())
    await eventually(lambda: len(polls) > 10 * api_server.IDLE_POLLS_MAX)
    assert not stopping.done()
    return stopping


async def test_a_request_that_still_arrives_is_served(polls):
    async def answered(_request, _call):
        return ANSWER

    raw = REQUEST.SerializeToString()
    message = struct.pack(">BI", 0, len(raw)) + raw
    async with (
        edge_server({"DeductCredits": answered}, limits=LIMITS) as edge,
        calling(edge, "DeductCredits") as caller,
    ):
        caller.send(frame(DATA, 0, 1, message[:-1]))
        await eventually(api_server._calls_handed_over)
        stopping = await drained_for_long(edge, polls)
        caller.send(frame(DATA, END_STREAM, 1, message[-1:]))
        assert (await caller.receive())[len(NO_MESSAGE) :] == ANSWER.SerializeToString()
        await asyncio.wait_for(stopping, TIMEOUT_S)


async def test_an_answer_that_still_leaves_is_waited_for(polls):
    async def large(_request, _call):
        return LARGER_THAN_A_WINDOW

    async with (
        edge_server({"ListTransactions": large}, limits=LIMITS) as edge,
        calling(edge, "ListTransactions") as caller,
    ):
        caller.send(frame(DATA, END_STREAM, 1, NO_MESSAGE))
        received = await caller.receive(all_of_it=False)
        stopping = await drained_for_long(edge, polls)
        caller.open_windows()
        received += await caller.receive()
        assert received[len(NO_MESSAGE) :] == LARGER_THAN_A_WINDOW.SerializeToString()
        await asyncio.wait_for(stopping, TIMEOUT_S)


async def test_a_call_that_was_never_handed_over_does_not_hold_a_drain_up(polls, monkeypatch):
    async with edge_server(limits=LIMITS) as edge, calling(edge, "DeductCredits") as caller:
        caller.send(frame(DATA, 0, 1, NO_MESSAGE[:-1]))
        await eventually(api_server._calls_handed_over)
        monkeypatch.setattr(api_server, "CALL_TASK", "unheard of")  # gRPC has a call that nobody here sees
        await asyncio.wait_for(edge.server.stop(), TIMEOUT_S)
        assert polls[-api_server.IDLE_POLLS_MAX :] == [False] * api_server.IDLE_POLLS_MAX
