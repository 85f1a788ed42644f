"""Whoever is slow, silent or many is cut; whoever delivers is served."""

import asyncio
import time

import pytest

from tests.gateway.gateway_bench import (
    PATH,
    connect,
    event,
    gateway_config,
    raw_delivery,
    send_raw,
    signature,
    status_of,
)
from tests.gateway.gateway_witness import witnessing
from webhook_gateway.connections import ConnectionGuard
from webhook_gateway.run import serve_gateway

CUT_WITHIN_S = 8.0
"""Deadlines here are of a second or two, and a busy machine takes its time; those that a gateway has by default are 10
and 15 s."""
GOOD = event()
KEPT_ALIVE = (
    f"POST {PATH} HTTP/1.1\r\nHost: g\r\nStripe-Signature: {signature(GOOD)}\r\nContent-Length: "
    f"{len(GOOD)}\r\n\r\n".encode()
    + GOOD
)
HOSTILE = {
    "silent": b"",
    "half a request line": b"POST /webh",
    "half a header": f"POST {PATH} HTTP/1.1\r\nHost: g\r\nStripe-Sig".encode(),
    "withheld body": raw_delivery(GOOD, f"Content-Length: {len(GOOD)}"),
    "half a body": raw_delivery(GOOD, f"Content-Length: {len(GOOD)}") + GOOD[:5],
    "withheld chunks": raw_delivery(GOOD, "Transfer-Encoding: chunked"),
    "half a chunk": raw_delivery(GOOD, "Transfer-Encoding: chunked") + b"ff\r\n{",
    "never continued": raw_delivery(GOOD, f"Content-Length: {len(GOOD)}", "Expect: 100-continue"),
    "withheld body for the health page": b"GET /healthz HTTP/1.1\r\nHost: g\r\nContent-Length: 9\r\n\r\n",
}


async def held_open_s(url: str, data: bytes, *, after_s: float = 0, more: bytes = b"") -> float:
    """How long the gateway keeps a connection that sends `data`, `more` of it later, and then nothing."""
    started = time.monotonic()
    reader, writer = await connect(url)
    try:
        writer.write(data)
        asyncio.get_running_loop().call_later(after_s, writer.write, more)
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass  # a cut is what this waits for
    finally:
        writer.close()
    return time.monotonic() - started


async def delivered(url: str) -> int | None:
    return status_of(await send_raw(url, raw_delivery(GOOD, f"Content-Length: {len(GOOD)}") + GOOD))


async def answered(reader, writer, data: bytes) -> None:
    """Send `data` and read one answer, a 200, of a connection that stays open."""
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    assert status_of(head) == 200
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))


async def test_a_hundred_that_hold_on_are_all_cut_while_a_good_delivery_is_answered(service):
    config = gateway_config(receive_timeout_s=3, keepalive_timeout_s=3)
    async with serve_gateway(config, service=service) as url:
        attack = [
            asyncio.create_task(held_open_s(url, data))
            for name, data in HOSTILE.items()
            for _ in range(12)
            if "health" not in name
        ]
        assert await delivered(url) == 200
        assert not any(task.done() for task in attack), "the delivery waited until they were cut"
        attack += [asyncio.create_task(held_open_s(url, data)) for name, data in HOSTILE.items() if "health" in name]
        assert max(await asyncio.gather(*attack)) < CUT_WITHIN_S
        assert await delivered(url) == 200
    assert len(service.calls) == 2


@pytest.mark.parametrize("name", [name for name in HOSTILE if "health" not in name])
async def test_the_deadline_is_the_one_that_is_set(service, name):
    async with serve_gateway(gateway_config(receive_timeout_s=0.3), service=service) as url:
        assert 0.25 < await held_open_s(url, HOSTILE[name]) < CUT_WITHIN_S
    assert service.calls == []


async def test_trickling_bytes_buy_no_time(service):
    async def trickle(data):
        _reader, writer = await connect(url)
        started = time.monotonic()
        try:
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            return time.monotonic() - started
        finally:
            writer.close()

    async with serve_gateway(gateway_config(receive_timeout_s=0.4), service=service) as url:
        held_s = await asyncio.gather(trickle(raw_delivery(GOOD)), trickle(KEPT_ALIVE[:200] + GOOD * 9))
    assert all(seconds and 0.35 < seconds < CUT_WITHIN_S for seconds in held_s), (
        "they were cut, and not before their time"
    )
    assert service.calls == []


@pytest.mark.parametrize(
    ("then", "limit_s"),
    [(b"", 0.4), (b"POST /web", 0.4), (KEPT_ALIVE[: -len(GOOD)], 1.0), (KEPT_ALIVE[:-1], 1.0)],
)
async def test_later_requests_of_a_connection_have_deadlines_too(service, then, limit_s):
    """Pipelined behind a good request, so that their first bytes come before that is answered."""
    config = gateway_config(keepalive_timeout_s=0.4, receive_timeout_s=1.0)
    async with serve_gateway(config, service=service) as url:
        held_s = await held_open_s(url, KEPT_ALIVE + then)
    assert limit_s - 0.1 < held_s < CUT_WITHIN_S
    assert len(service.calls) == 1


async def test_headers_that_come_late_leave_less_time_for_the_body(service):
    async with serve_gateway(gateway_config(receive_timeout_s=3), service=service) as url:
        held_s = await held_open_s(url, KEPT_ALIVE[:50], after_s=2, more=KEPT_ALIVE[50:-1])
    assert 2.9 < held_s < 5, "the body had three seconds of its own"
    assert service.calls == []


async def test_a_request_that_begins_just_before_the_idle_deadline_has_its_whole_time(service):
    config = gateway_config(keepalive_timeout_s=1.5, receive_timeout_s=8)
    async with serve_gateway(config, service=service) as url:
        reader, writer = await connect(url)
        await answered(reader, writer, KEPT_ALIVE)
        loop = asyncio.get_running_loop()
        loop.call_later(0.2, writer.write, KEPT_ALIVE[:50])
        loop.call_later(1.7, writer.write, KEPT_ALIVE[50:-9])
        loop.call_later(1.9, writer.write, KEPT_ALIVE[-9:])
        await answered(reader, writer, b"")
        writer.close()
    assert len(service.calls) == 2


async def test_a_connection_may_deliver_again_and_again(service):
    async with serve_gateway(gateway_config(keepalive_timeout_s=10, receive_timeout_s=10), service=service) as url:
        reader, writer = await connect(url)
        for _ in range(5):
            await answered(reader, writer, KEPT_ALIVE)
        writer.close()
    assert len(service.calls) == 5


async def test_a_sender_that_leaves_between_two_requests_is_no_defect(service):
    with witnessing() as witness:
        async with serve_gateway(gateway_config(), service=service) as url:
            _reader, writer = await connect(url)
            writer.write(KEPT_ALIVE + KEPT_ALIVE[:-1])
            await asyncio.sleep(0)  # or the reset would come before the first request
            writer.transport.abort()
            assert await delivered(url) == 200
    assert witness.complaints() == []
    assert len(service.calls) == 2


async def test_a_slow_service_does_not_count_as_a_slow_sender(service):
    service.let_go.clear()
    async with serve_gateway(gateway_config(receive_timeout_s=1), service=service) as url:
        delivery = asyncio.create_task(delivered(url))
        await service.entered.wait()
        asyncio.get_running_loop().call_later(1.2, service.let_go.set)
        assert await delivery == 200


async def test_no_more_connections_than_allowed(service):
    config = gateway_config(connections_max=3, connections_per_peer_max=3)
    async with serve_gateway(config, service=service) as url:
        held = [await connect(url) for _ in range(3)]
        assert await delivered(url) is None
        held[0][1].close()
        await held[0][1].wait_closed()
        while await delivered(url) is None:
            pass  # until the gateway has seen the close
        for _reader, writer in held:
            writer.close()


def test_peers_are_counted_one_by_one():
    guard = ConnectionGuard(gateway_config(connections_max=3, connections_per_peer_max=2))
    admitted = [guard.admit(None, object(), peer) for peer in ("1.1.1.1", "1.1.1.1", "1.1.1.1", "2.2.2.2", "3.3.3.3")]
    assert admitted == [True, True, False, True, False]


async def test_every_connection_is_forgotten_however_it_ended(service):
    config = gateway_config(connections_max=2, connections_per_peer_max=2, receive_timeout_s=0.5)
    async with serve_gateway(config, service=service) as url:
        for data in HOSTILE.values():
            if b"healthz" not in data:
                await held_open_s(url, data)
        assert [await delivered(url) for _ in range(5)] == [200] * 5


async def test_stopping_takes_no_longer_than_the_deadlines(service):
    """A request whose body is on its way is waited for until its deadline, and an answered one while the rest of it is
    read away."""
    async with serve_gateway(gateway_config(receive_timeout_s=1, forward_timeout_s=30), service=service) as url:
        holding = [asyncio.create_task(held_open_s(url, data)) for data in (*HOSTILE.values(), KEPT_ALIVE)]
        await service.entered.wait()
        started = time.monotonic()
    assert time.monotonic() - started < CUT_WITHIN_S, "of the 31 s that a shutdown may take"
    assert max(await asyncio.gather(*holding)) < CUT_WITHIN_S
