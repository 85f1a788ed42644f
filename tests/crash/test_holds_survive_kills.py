"""kill -9 at any moment while callers hold, capture, release, use and meter: every acknowledged answer is in the ledger
once, also where another process goes on at the same database, and callers that hang up at any moment leave nothing half
done."""

import asyncio
import random
from contextlib import AsyncExitStack

import grpc
import pytest

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.crash.test_cancellation_storm import open_transactions, quiet
from tests.support.client_journal import grant, verify
from tests.support.run_length import LONG
from tests.support.service_process import RECONNECT, running_process, service_settings
from tests.support.spending_journal import Spenders, SpendingJournal
from tests.support.spending_reconciled import reconcile

PROCESSES = {"sqlite": 1, "postgresql": 2}
"""At one database."""
KILLS = {"sqlite": 60, "postgresql": 40} if LONG else {"sqlite": 4, "postgresql": 3}
MORE_BEFORE_A_KILL = 100
"""Answers, so that each life of a process sees all that callers do."""
CALLERS = 24
LIVES = 400 if LONG else 12
GRANTED = {"rich-1": 1_000_000, "rich-2": 1_000_000, "poor": 150}
IMPATIENT = 0.5
PATIENCE_MAX_S = 0.04


@pytest.fixture
def spending(tmp_path):
    kept = SpendingJournal(tmp_path / "spending.txt")
    yield kept
    kept.close()


@pytest.mark.timeout(1_800 if LONG else 120)
async def test_each_acknowledged_answer_is_in_the_ledger_after_kills(  # noqa: PLR0917 - fixtures
    database, settings, forker, spending, seed, tmp_path
):
    chance = random.Random(seed)
    async with AsyncExitStack() as running:
        services = [
            await running.enter_async_context(running_process(forker, settings, tmp_path / f"{number}.log"))
            for number in range(PROCESSES[database.store])
        ]
        channels = [
            await running.enter_async_context(grpc.aio.insecure_channel(service.address, RECONNECT))
            for service in services
        ]
        for account_id, given in GRANTED.items():
            await grant(channels[0], account_id, given)
        spenders = Spenders(channels, spending, list(GRANTED), seed)
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(spenders.run(number))
            for _ in range(KILLS[database.store]):
                await spending.until_more_acknowledged(MORE_BEFORE_A_KILL)
                await asyncio.sleep(chance.uniform(0, 0.2))
                service = chance.choice(services)
                await service.kill()
                await service.start()
            await spending.until_more_acknowledged(MORE_BEFORE_A_KILL)
            spenders.stopped = True
        await spenders.finish()
        await verify(channels[0])
        for service in services:
            assert await service.stop() == 0
    used = reconcile(spending, database, GRANTED)
    _expect_a_rough_run(spending, used)
    assert sum(asked.was_unknown for asked in spending.asked.values()) >= KILLS[database.store], "the kills hit nobody"


def _expect_a_rough_run(spending, used):
    """What never happened would prove nothing."""
    counts = spending.counts()
    assert min(counts[each] for each in ("DeductCredits", "HoldCredits", "CaptureHold", "ReleaseHold", "sessions")) > 0
    assert spending.having("refused"), "nobody ran out of credits"
    assert spending.breaks, "no session was cut"
    assert all(used.values())


@pytest.mark.timeout(1_800 if LONG else 120)
async def test_a_storm_of_callers_that_hang_up_leaves_no_hold_half_done(database, spending, seed):
    async with (
        open_service(load_settings(service_settings(database))) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        for account_id, given in GRANTED.items():
            await grant(channel, account_id, given)
        spenders = Spenders([channel], spending, list(GRANTED), seed, impatience=_impatience)
        await asyncio.gather(*(spenders.run(number, LIVES) for number in range(CALLERS)))
        await spenders.finish()
        await quiet(service)
        assert database.store == "sqlite" or not await open_transactions(database)
        assert not service.server.edge.overdue.started
        patient = Spenders([channel], spending, ["rich-1"], seed)
        await patient.run("after the storm", 1)
        await verify(channel)
    used = reconcile(spending, database, GRANTED)
    _expect_a_rough_run(spending, used)
    assert sum(asked.was_unknown for asked in spending.asked.values()) > CALLERS, "hardly anybody was cut off"


def _impatience(chance):
    return chance.uniform(0, PATIENCE_MAX_S) if chance.random() < IMPATIENT else None
