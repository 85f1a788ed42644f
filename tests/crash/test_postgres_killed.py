"""The database server dies, or is stopped, under load and comes back: definite answers, honest health, nothing lost."""

import asyncio

import grpc
import pytest

from tests.crash.postgres_server import running_postgres_server
from tests.support.client_journal import Callers, grant, reconcile, verify
from tests.support.databases import Database
from tests.support.run_length import LONG
from tests.support.service_process import RECONNECT, running_process, service_settings, wait_for_health

KILLS = 20 if LONG else 2
CALLERS = 32
HEALTH_FOLLOWS_WITHIN_S = 10.0
"""The promised five, and as much for a machine that is busy with other tests."""
GRANTED = {"a": 1_000_000, "b": 1_000_000, "poor": 100}


@pytest.mark.timeout(900 if LONG else 120)
async def test_a_killed_or_stopped_database_server_costs_answers_and_no_credits(forker, journal, seed, tmp_path):
    async with running_postgres_server() as postgres:
        database = Database("postgresql", postgres.url)
        async with (
            running_process(forker, service_settings(database), tmp_path / "service.log") as service,
            grpc.aio.insecure_channel(service.address, RECONNECT) as channel,
        ):
            for account_id, given in GRANTED.items():
                await grant(channel, account_id, given)
            callers = Callers(channel, journal, list(GRANTED), seed, pause_s=0.1)
            callers.up.set()
            async with asyncio.TaskGroup() as running:
                for number in range(CALLERS):
                    running.create_task(callers.run(number))
                for number in range(KILLS):
                    await asyncio.sleep(0.5)
                    await (postgres.stop if number % 2 else postgres.kill)()
                    await wait_for_health(service.address, "NOT_SERVING", HEALTH_FOLLOWS_WITHIN_S)
                    await postgres.start()
                    await wait_for_health(service.address, "SERVING", HEALTH_FOLLOWS_WITHIN_S)
                callers.stopped = True
            assert +callers.failures == {grpc.StatusCode.UNAVAILABLE: callers.failures.total()}
            await callers.settle(journal.having("unknown"))
            await verify(channel)
            assert await service.stop() == 0
        reconcile(journal, database, GRANTED)
    assert any(attempt.was_unknown for attempt in journal.attempts.values()), "the kills hit nobody"
