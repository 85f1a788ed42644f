"""Bytes that are nearly HTTP, on raw sockets: refused or cut, never an exception, never anything unsigned handed on."""

import asyncio
import re
import time

import grpc
import pytest
from billing_client.errors import BillingError

from tests.gateway.gateway_bench import SECRET, FakeEventService, connect, gateway_config, raw_delivery, status_of
from tests.gateway.gateway_witness import witnessing
from tests.gateway.raw_corpus import CORPUS
from tests.gateway.raw_requests import GOOD, RawConnection, raw_connections
from tests.support.run_length import LONG
from tests.support.signature_mutations import reference
from webhook_gateway.run import LINGERING_S, serve_gateway

CONNECTIONS = 5_000 if LONG else 1_500
SEEDS = range(10) if LONG else [26]
AT_ONCE = 120
RECEIVE_S = 1.0
HELD_S_MAX = 4 * RECEIVE_S + LINGERING_S + 2
"""Three requests, each with its time, the rest of one read away, and a busy machine."""
UNAVAILABLE_EVERY = 5
DELIVERY = raw_delivery(GOOD, f"Content-Length: {len(GOOD)}") + GOOD
REFUSALS = {400, 404, 405, 413, 415, 417}


class UnsteadyService(FakeEventService):
    """Can't now and then, which is the one reason for an answer of the 500s."""

    def __init__(self, *, steady):
        super().__init__()
        self.failures = 0
        self.steady = steady

    async def process_stripe_event(self, **arguments):
        fails = not self.steady and len(self.calls) % UNAVAILABLE_EVERY == 0
        self.status = grpc.StatusCode.UNAVAILABLE if fails else grpc.StatusCode.OK
        try:
            return await super().process_stripe_event(**arguments)
        except BillingError:
            self.failures += 1
            raise


async def exchange(url, connection):
    """All that the gateway answers until the connection is closed, and how long it was open."""
    started, answer = time.monotonic(), b""
    reader, writer = await connect(url)
    try:
        for piece in connection.pieces:
            if writer.transport.is_closing():
                break
            writer.write(piece)
            await asyncio.sleep(0)  # the gateway sees one piece before the next
        if connection.end == "abort":
            writer.transport.abort()
            return b"", 0.0
        if connection.end == "eof":
            writer.write_eof()
        while more := await reader.read(65_536):
            answer += more
    except OSError:
        pass  # the gateway cut it
    finally:
        writer.close()
    return answer, time.monotonic() - started


def answers_in(raw):
    """The status of each answer in what a connection gave back, all of it well-formed."""
    found = []
    while raw:
        head, separator, raw = raw.partition(b"\r\n\r\n")
        assert re.match(rb"HTTP/\d\.\d \d{3} ", head), (head, raw)  # aiohttp repeats the version that it was told
        if not separator:
            break  # the connection was cut while it was answered
        found.append(status_of(head))
        length = re.search(rb"(?im)^content-length: (\d+)\r?$", head)
        raw = raw[int(length[1]) if length else 0 :]
    return found


async def judge(connections, *, steady=False):
    """The answers on each connection, after everything that must hold for all of them was found to hold."""
    at_once, service = asyncio.Semaphore(AT_ONCE), UnsteadyService(steady=steady)

    async def run(connection):
        async with at_once:
            return await exchange(url, connection)

    config = gateway_config(
        receive_timeout_s=RECEIVE_S,
        keepalive_timeout_s=RECEIVE_S,
        connections_max=AT_ONCE,
        connections_per_peer_max=AT_ONCE,
    )
    with witnessing() as witness:
        async with serve_gateway(config, service=service) as url:
            ended = await asyncio.gather(*(run(connection) for connection in connections))
            # No connection is still counted: as many as are allowed deliver at once.
            service.steady = True
            async with asyncio.timeout(HELD_S_MAX):
                while set(await asyncio.gather(*(_delivered(url) for _ in range(AT_ONCE)))) != {200}:
                    pass  # until the gateway has seen the last sender leave
    assert witness.complaints() == []
    for call in service.calls:
        assert reference(call["payload"], call["stripe_signature"].encode("utf-8", "surrogateescape"), [SECRET])
    told = [answers_in(answer) for answer, _held_s in ended]
    for connection, (_answer, held_s), statuses in zip(connections, ended, told, strict=True):
        assert held_s < HELD_S_MAX, connection
        assert set(statuses) <= REFUSALS | {100, 200, 503}, (connection, statuses)
    assert sum(statuses.count(503) for statuses in told) <= service.failures
    return told


async def _delivered(url):
    answer, _held_s = await exchange(url, RawConnection((DELIVERY,), "stay"))
    return status_of(answer)


@pytest.mark.parametrize("seed", SEEDS)
async def test_nearly_http(seed):
    told = await judge(list(raw_connections(seed, CONNECTIONS)))
    seen = {status for statuses in told for status in statuses}
    assert seen >= {100, 200, 400, 404, 405, 415, 417, 503}
    assert sum(200 in statuses for statuses in told) > CONNECTIONS / 20


def forms_of(data):
    """The bytes at once and in fifty pieces, of senders that wait for the answer, say that they are done, or reset the
    connection."""
    step = 1 + len(data) // 50
    pieces = tuple(data[at : at + step] for at in range(0, len(data), step))
    return [RawConnection(sent, end) for sent in ((data,), pieces) for end in ("stay", "eof", "abort")]


async def test_the_corpus():
    connections = {(name, number): form for name in CORPUS for number, form in enumerate(forms_of(CORPUS[name][0]))}
    wrong = []
    for (name, number), statuses in zip(connections, await judge(list(connections.values()), steady=True), strict=True):
        form, allowed = connections[name, number], CORPUS[name][1]
        # Who leaves before the answer, or still sends when it comes, may miss it; more than it nobody gets.
        may_miss = form.end != "stay" or (len(form.pieces) > 1 and 400 in allowed[-1])
        if not any(
            tuple(statuses) == whole[: len(statuses)] and (may_miss or len(statuses) == len(whole)) for whole in allowed
        ):
            wrong.append((name, form.end, len(form.pieces), statuses))
    assert wrong == []
