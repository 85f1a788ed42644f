"""One connection stays at hand, nobody waits for it in vain, and no plan outlives what it was made for."""

import asyncio
from functools import partial

import asyncpg
import pytest

from billing_service.domain.refusals import Reason, Refusal
from billing_service.storage.postgres import store as postgres_store
from billing_service.storage.postgres.connect import connect
from billing_service.storage.postgres.connections import PLANS_KEPT_S, Connections, _is_gone
from billing_service.storage.postgres.session import PLANNING
from billing_service.storage.postgres.store import open_postgres
from billing_service.storage.rows import batches as batch_rows
from billing_service.storage.rows import ledger_statements
from billing_service.storage.statements import compile_statement, postgresql_dialect
from billing_service.storage.store import StaleError
from tests.storage.raw_units import read_unit
from tests.support.databases import connect_to
from tests.support.ledger_setup import open_account
from tests.support.patience import PATIENCE_S

pytestmark = pytest.mark.parametrize("store_name", ["postgresql"])

LOCK = compile_statement(ledger_statements.LOCK_UNCHANGED_ACCOUNTS, postgresql_dialect()).sql
READ_BATCH = compile_statement(batch_rows.READ_BATCH, postgresql_dialect()).sql
MANY_ACCOUNTS = """
INSERT INTO accounts SELECT 'many ' || number, 0, '', '', 0, 0, 0, 0, 0, 0, -1, 0
FROM generate_series(1, 20000) AS number
"""


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
async def pool(database):
    async def plan_as_the_service_does(connection):
        for name, value in PLANNING.items():
            await connection.execute(f"SET {name} = '{value}'")

    opened = await asyncpg.create_pool(
        connect=partial(connect, database.target),
        min_size=1,
        max_size=2,
        init=plan_as_the_service_does,
        reset=postgres_store._nothing_to_reset,
    )
    yield opened
    await opened.close()


@pytest.fixture
async def connections(pool):
    made = Connections(pool, Clock())
    yield made
    await made.close()


async def identity(connections):
    async with connections.acquire() as connection:
        return await connection.fetchval("SELECT pg_backend_pid()")


def all_are_idle(connections):
    return connections.get_size() - connections.get_idle_size() == 0


async def test_the_one_that_was_used_last_is_used_again(connections, pool):
    first = await identity(connections)
    assert pool.get_idle_size() == 0, "it stays out of the pool"
    assert all_are_idle(connections)
    assert await identity(connections) == first


async def test_two_at_once_have_one_each(connections):
    async with connections.acquire() as one, connections.acquire() as other:
        assert await one.fetchval("SELECT pg_backend_pid()") != await other.fetchval("SELECT pg_backend_pid()")
        assert not all_are_idle(connections)
    assert all_are_idle(connections)


async def test_nobody_waits_for_the_pool_while_one_is_kept(connections):
    """What is given back goes to those who wait, not out of their sight."""

    async def use():
        async with connections.acquire() as connection:
            await connection.fetchval("SELECT 1")

    async with connections.acquire():
        async with connections.acquire():
            waiting = [asyncio.ensure_future(use()) for _ in range(3)]
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE_S)
    assert all_are_idle(connections)


@pytest.mark.parametrize("failing", [RuntimeError, asyncio.CancelledError])
async def test_what_fails_goes_back_to_the_pool(connections, pool, failing):
    async def fail():
        async with connections.acquire() as connection:
            await connection.fetchval("SELECT 1")
            raise failing

    with pytest.raises(failing):
        await fail()
    assert pool.get_idle_size() == pool.get_size()


@pytest.mark.parametrize("answer", [Refusal(Reason.ACCOUNT_FROZEN, "no"), StaleError("believed in vain")])
async def test_what_was_only_refused_stays_at_hand(connections, pool, answer):
    async def refuse():
        async with connections.acquire():
            raise answer

    with pytest.raises(type(answer)):
        await refuse()
    assert pool.get_idle_size() == 0
    assert all_are_idle(connections)


async def two_at_once(connections):
    async with connections.acquire() as one, connections.acquire() as other:
        return {one.get_server_pid(), other.get_server_pid()}


async def test_when_one_gets_no_answer_none_is_asked_that_is_as_old(connections):
    """A server that vanished without a goodbye costs one unit its time, not one for each connection."""
    old = await two_at_once(connections)

    async def wait_in_vain():
        async with connections.acquire():
            await identity(connections)  # another one is at hand now
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await wait_in_vain()
    assert all_are_idle(connections)
    assert not old & await two_at_once(connections)


async def test_one_that_was_aborted_goes_back_to_the_pool(connections):
    """asyncpg does not take such a one back by itself, and would wait for it for ever when it closes."""
    first = await identity(connections)
    connections._kept._con._protocol.abort()
    assert await identity(connections) != first
    assert all_are_idle(connections)
    await asyncio.wait_for(connections.close(), PATIENCE_S)


async def test_one_that_the_server_closed_is_replaced(connections, database):
    lost = await identity(connections)
    other = await connect_to(database.url)
    await other.fetchval("SELECT pg_terminate_backend($1)", lost)
    await other.close()
    while not _is_gone(connections._kept):  # noqa: ASYNC110 - asyncpg tells nobody, and opens another for itself
        await asyncio.sleep(0.001)
    assert await identity(connections) != lost
    assert all_are_idle(connections)


async def test_closing_gives_back_what_is_kept_and_what_comes_later(pool):
    connections = Connections(pool)
    await identity(connections)
    async with connections.acquire():
        closing = asyncio.ensure_future(connections.close())
        await asyncio.sleep(0)
    await asyncio.wait_for(closing, PATIENCE_S)


async def plan(connections, sql):
    """How the server runs a prepared statement of the service."""
    async with connections.acquire() as connection:
        if not await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name = 'tested'"):
            await connection.execute(f"PREPARE tested AS {sql}")
        count = await connection.fetchval(
            "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'tested'"
        )
        return "\n".join(
            row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE tested({', '.join(['NULL'] * count)})")
        )


async def analyze(connections):
    async with connections.acquire() as connection:
        await connection.execute("VACUUM (ANALYZE)")


async def test_a_plan_that_was_made_for_a_tiny_table_does_not_outlive_an_import(connections, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids)
    await analyze(connections)
    by_key = "Index Cond: (account_id = anon_1.old_account_id)"
    assert by_key not in await plan(connections, LOCK), "the danger that this test is about is gone"
    async with connections.acquire() as connection:
        await connection.execute(MANY_ACCOUNTS)
    assert by_key not in await plan(connections, LOCK)
    connections._monotonic.now += PLANS_KEPT_S + 1
    assert by_key in await plan(connections, LOCK)


async def meet(connections):
    """Two units at once, as when health is probed under load: one of them takes a connection out of the pool."""
    async with connections.acquire(), connections.acquire():
        pass


async def fail(connections):
    with pytest.raises(ZeroDivisionError):
        async with connections.acquire():
            raise ZeroDivisionError


@pytest.mark.parametrize("between", [meet, fail])
async def test_plans_grow_no_older_when_connections_come_and_go(connections, between, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids)
    await analyze(connections)
    asked = 0
    async with connections.acquire() as connection:
        process = connection.get_server_pid()
    for _ in range(12):
        connections._monotonic.now += PLANS_KEPT_S / 2
        before = connections._plans_until[process]
        await between(connections)
        await identity(connections)
        asked += connections._plans_until[process] != before
    assert asked == 12 / 3, "once each time that they had become too old"


async def test_keys_are_looked_up_one_by_one_even_if_there_were_none_to_plan_for(connections, database):
    """On an empty table, looking through all of them seems as cheap: the plan is kept, and the table grows."""
    del database
    await analyze(connections)
    steps = await plan(connections, READ_BATCH)
    assert (
        "Index Cond: ((idempotency_key = anon_2.list_keys) AND (account_id = anon_2.list_accounts) AND (scope = "
        "anon_2.list_scopes))" in steps
    )


class ForeignConnection:
    """Of a database that knows no `DISCARD PLANS`."""

    asked = 0

    def is_closed(self):
        return False

    def get_server_pid(self):
        return 1

    async def execute(self, sql):
        assert sql == "DISCARD PLANS"
        self.asked += 1
        raise asyncpg.PostgresSyntaxError("at or near PLANS")


class OnePool:
    def __init__(self, connection):
        self.connection = connection

    async def acquire(self, **_options):
        return self.connection

    async def release(self, connection):
        assert connection is self.connection


async def test_a_database_that_keeps_its_plans_is_asked_once(database):
    del database
    connection = ForeignConnection()
    connections = Connections(OnePool(connection), Clock())
    for _ in range(4):
        await meet(connections)
        connections._monotonic.now += PLANS_KEPT_S + 1
    assert connection.asked == 1


async def test_a_store_gives_its_connections_back(database):
    store = await open_postgres(database.target)
    assert (await store.read(read_unit("SELECT 1")))[0][0] == 1
    await asyncio.gather(*(store.read(read_unit("SELECT pg_sleep(0.01)")) for _ in range(20)))
    assert all_are_idle(store._pool)
    await asyncio.wait_for(store.close(), PATIENCE_S)
