"""kill -9 at any moment under load: what was acknowledged is there once, what was not is there once or not at all."""

import asyncio
import os
import random

import grpc
import pytest

from tests.support.client_journal import Callers, grant, reconcile, verify
from tests.support.run_length import LONG
from tests.support.service_process import RECONNECT, running_process

KILLS = {"sqlite": 200, "postgresql": 100} if LONG else {"sqlite": 20, "postgresql": 5}
CALLERS = 32
GRANTED = {"rich-1": 1_000_000, "rich-2": 1_000_000, "rich-3": 1_000_000, "poor": 300}
RESTART_MAX_S = 20.0
"""A start takes a second, several on a busy machine. One that waits for what the killed process held would take the
time limits of the database, for each try."""
REPLAYED_OK = 50


@pytest.mark.timeout(900 if LONG else 120)
async def test_each_acknowledged_deduction_exists_once_after_kills(  # noqa: PLR0917 - fixtures
    database, settings, forker, journal, seed, tmp_path
):
    chance = random.Random(seed)
    kills = int(os.environ.get("BILLING_TEST_KILLS") or KILLS[database.store])
    async with (
        running_process(forker, settings, tmp_path / "service.log") as service,
        grpc.aio.insecure_channel(service.address, RECONNECT) as channel,
    ):
        for account_id, given in GRANTED.items():
            await grant(channel, account_id, given)
        callers = Callers(channel, journal, list(GRANTED), seed)
        callers.up.set()
        async with asyncio.TaskGroup() as running:
            for number in range(CALLERS):
                running.create_task(callers.run(number))
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.02, 0.25))
                callers.up.clear()
                await service.kill()
                await service.start()
                known = journal.having("ok")
                await callers.settle([*journal.having("unknown"), *chance.sample(known, min(REPLAYED_OK, len(known)))])
                callers.up.set()
            while not journal.having("refused"):  # noqa: ASYNC110 - a slow machine has not come that far
                await asyncio.sleep(0.01)
            callers.stopped = True
        await callers.settle(journal.having("unknown"))
        await verify(channel)
        assert await service.stop() == 0
    reconcile(journal, database, GRANTED)
    assert max(service.started_in_s) < RESTART_MAX_S
    assert len(service.started_in_s) == kills + 1
    assert sum(attempt.was_unknown for attempt in journal.attempts.values()) >= kills, "the kills hit nobody"
