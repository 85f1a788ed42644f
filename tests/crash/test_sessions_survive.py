"""A service that is killed, or stopped, with open sessions: nothing acknowledged is lost, any process goes on."""

import asyncio
from contextlib import suppress

import grpc
import pytest
from billing_client import AsyncBillingClient, Usage
from billing_client.errors import BillingError, ShuttingDown
from google.protobuf.json_format import ParseDict

from tests.end_to_end.test_batches_of_deductions import rich
from tests.support.client_journal import verify
from tests.support.metered import Metered, cost, tokens
from tests.support.patience import PATIENCE_S
from tests.support.run_length import LONG
from tests.support.service_process import running_process
from tests.support.stack import CREDIT
from tests.support.wire import Wire

KILLS = 20 if LONG else 3
SESSIONS = 8


async def owner(wire, number, acknowledged, opened):
    """Ticks until the service is gone; keeps what was acknowledged."""
    session = Metered(wire)
    with suppress(BillingError, grpc.RpcError, AssertionError):
        if number not in opened:
            opened[number] = await session.open(f"owner-{number}", slice_microcredits=CREDIT)
        else:
            what, again = await session.resume(f"owner-{number}", opened[number])
            assert what == "opened"
            opened[number] = again
            assert again.sequence >= acknowledged.get(number, 0)
            assert again.charged_microcredits == cost(0, again.sequence)
        sequence = max(acknowledged.get(number, 0), opened[number].sequence)
        while True:
            sequence += 1
            acknowledged[number] = (await session.tick(sequence, tokens(0, sequence))).sequence


async def acknowledged_until(session, end):
    """The last tick that was acknowledged before the stream ended so."""
    sequence = 0
    with suppress(end):
        while True:
            what, message = await session.says()
            assert what == "acknowledged"
            sequence = message.sequence
    return sequence


@pytest.mark.timeout(600 if LONG else 120)
async def test_nothing_acknowledged_is_lost_by_a_kill(settings, forker, tmp_path):
    acknowledged, opened = {}, {}
    async with running_process(forker, settings, tmp_path / "service.log") as service:
        async with Wire(service.address) as wire:
            for number in range(SESSIONS):
                await rich(wire, f"owner-{number}")
        for _ in range(KILLS):
            async with Wire(service.address) as wire:
                before = dict(acknowledged)
                owners = [asyncio.create_task(owner(wire, number, acknowledged, opened)) for number in range(SESSIONS)]
                async with asyncio.timeout(PATIENCE_S):
                    # The other side is a process.
                    while any(acknowledged.get(n, 0) < before.get(n, 0) + 5 for n in range(SESSIONS)):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                await service.kill()
                await asyncio.gather(*owners)
            await service.start()
        async with Wire(service.address) as wire:
            for number in range(SESSIONS):
                last = Metered(wire)
                what, resumed = await last.resume(f"owner-{number}", opened[number])
                assert (what, resumed.sequence >= acknowledged[number]) == ("opened", True)
                closed = await last.close()
                assert closed.charged_microcredits == cost(0, resumed.sequence)
                assert closed.balance.available_microcredits == 1_000 * CREDIT - cost(0, resumed.sequence)
            await verify(wire.channel)


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_another_process_goes_on_and_ends_the_first_owner(settings, forker, tmp_path):
    async with (
        running_process(forker, settings, tmp_path / "one.log") as one,
        running_process(forker, settings, tmp_path / "two.log") as two,
        Wire(one.address) as here,
        Wire(two.address) as there,
    ):
        await rich(here, "a")
        first, second = Metered(here), Metered(there)
        opened = await first.open("a", slice_microcredits=CREDIT)
        await first.tick(4, tokens(0, 40))
        what, resumed = await second.resume("a", opened)
        assert (what, resumed.sequence, resumed.charged_microcredits) == ("opened", 4, cost(0, 40))
        with pytest.raises(BillingError, match="SESSION_TAKEN_OVER"):
            await first.tick(5, tokens(0, 500))
        await second.tick(5, tokens(0, 50))
        assert (await second.close()).charged_microcredits == cost(0, 50)


async def test_a_stop_answers_what_it_read_and_names_itself(settings, forker, tmp_path):
    async with running_process(forker, settings, tmp_path / "service.log") as service:
        async with Wire(service.address) as wire:
            await rich(wire, "a")
            session = Metered(wire)
            opened = await session.open("a", slice_microcredits=CREDIT)
            for sequence in range(1, 101):
                await session.send(tick={"sequence": sequence, "usage": tokens(0, sequence)})
            stopping = asyncio.create_task(service.stop())
            acknowledged = await acknowledged_until(session, ShuttingDown)
            assert await stopping == 0
        await service.start()
        async with Wire(service.address) as wire:
            again = Metered(wire)
            _, resumed = await again.resume("a", opened)
            assert resumed.sequence == acknowledged
            assert (await again.close()).charged_microcredits == cost(0, acknowledged)


@pytest.mark.timeout(120)
async def test_the_client_goes_on_over_restarts(settings, forker, tmp_path):
    async with running_process(forker, settings, tmp_path / "service.log") as service:
        async with Wire(service.address) as wire:
            await rich(wire, "a")
        async with (
            AsyncBillingClient(service.address) as client,
            client.meter_session(account_id="a", slice_microcredits=CREDIT, timeout_s=30) as session,
        ):
            for number in range(1, 4):
                await session.tick(_usage(number * 100))
                await session.flush()
                await service.kill()
                await session.tick(_usage(number * 100 + 50))
                await service.start()
                await session.flush()
                assert session.charged_microcredits == cost(0, number * 100 + 50)
            closed = await session.close()
        assert closed.charged_microcredits == cost(0, 350)


def _usage(written):
    return ParseDict(tokens(0, written), Usage())
