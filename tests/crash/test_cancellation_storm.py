"""Callers that hang up at any moment: afterwards nothing is stuck, and each key was applied exactly once."""

import asyncio
import random

import grpc
import pytest

from billing_service.bootstrap import open_service
from billing_service.domain.refusals import Failure, Reason
from billing_service.ledger.gathering import Gatherer
from billing_service.settings import load_settings
from tests.support.client_journal import CREDIT, Attempt, Callers, grant, reconcile, verify
from tests.support.databases import connect_to
from tests.support.patience import PATIENCE_S
from tests.support.run_length import LONG
from tests.support.service_process import service_settings

CALLS = 20_000 if LONG else 600
AT_ONCE = 32
IMPATIENT = 0.6
PATIENCE_MAX_S = 0.05
"""What is stuck stays stuck; a busy machine may need more than the promised second."""
GATHERERS = ("deductions", "balances")
"""Begin with their first question, and stay."""
GRANTED = {"a": 1_000_000, "b": 1_000_000, "poor": 100}


async def call(callers, attempt, chance, limit):
    """One call; most end by a deadline or by the caller's own hand before they are answered."""
    callers.journal.note(attempt, "invoked")
    kind = chance.choice(["deadline", "cancel"]) if chance.random() < IMPATIENT else "patient"
    patience_s = chance.uniform(0, PATIENCE_MAX_S)
    async with limit:
        if kind != "cancel":
            await callers.ask(attempt, **({"timeout_s": patience_s} if kind == "deadline" else {}))
            return
        asking = asyncio.create_task(callers.ask(attempt))
        await asyncio.wait({asking}, timeout=patience_s)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        if attempt.outcome == "invoked":
            callers.journal.note(attempt, "unknown")


async def quiet(service):
    """Waits until no call and no unit of work is left."""
    async with asyncio.timeout(PATIENCE_S):
        # None of them tells.
        while service.server.edge.admission.in_flight or service.environment.store._running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def open_transactions(database):
    """Sessions of the service that hold a transaction open."""
    connection = await connect_to(database.url)
    try:
        return await connection.fetch(
            "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (state LIKE 'idle in transaction%' OR state = 'active')"
        )
    finally:
        await connection.close()


@pytest.mark.timeout(900 if LONG else 120)
async def test_a_storm_of_cancellations_leaves_nothing_stuck_and_applies_each_key_once(database, journal, seed):
    chance, limit = random.Random(seed), asyncio.Semaphore(AT_ONCE)
    async with (
        open_service(load_settings(service_settings(database))) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        for account_id, given in GRANTED.items():
            await grant(channel, account_id, given)
        await quiet(service)
        tasks = len(asyncio.all_tasks())
        callers = Callers(channel, journal, list(GRANTED), seed)
        attempts = [Attempt(chance.choice(list(GRANTED)), f"s-{number}", CREDIT) for number in range(CALLS)]
        await asyncio.gather(*(call(callers, attempt, chance, limit) for attempt in attempts))
        await quiet(service)
        assert database.store == "sqlite" or not await open_transactions(database)
        assert not service.server.edge.overdue.started
        pool = getattr(service.environment.store, "_pool", None)
        assert pool is None or pool.get_idle_size() == pool.get_size(), "a connection was not given back"
        last = Attempt("a", "after the storm", CREDIT)
        assert await callers.ask(last, PATIENCE_S)
        assert last.outcome == "ok"
        await callers.settle(journal.attempts.values())
        await verify(channel)
        async with asyncio.timeout(PATIENCE_S):
            while len(asyncio.all_tasks()) > tasks + len(GATHERERS):  # noqa: ASYNC110 - gRPC's own end a little later
                await asyncio.sleep(0.01)
    reconcile(journal, database, GRANTED)
    assert sum(attempt.was_unknown for attempt in attempts) > CALLS // 10, "hardly anybody was cut off"


async def test_a_cancellation_from_inside_answers_the_batch_and_spares_the_next():
    async def run(questions):
        if "cancel" in questions:
            raise asyncio.CancelledError
        return questions

    gatherer = Gatherer(run, batch_max=8, wait_s=0)
    with pytest.raises(Failure) as failed:
        await asyncio.wait_for(gatherer.submit("cancel"), PATIENCE_S)
    assert failed.value.reason is Reason.CONFLICT
    assert await asyncio.wait_for(gatherer.submit("next"), PATIENCE_S) == "next"
    await gatherer.close()
