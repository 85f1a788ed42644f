"""Callers hang up, databases go away, stores close: every unit still ends, and nothing stays locked."""

import asyncio
import random
import sqlite3
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

import pytest

from billing_service.domain.refusals import Failure, Reason
from billing_service.storage.sqlite import store as sqlite_store
from tests.storage.raw_units import outside, read_unit, write_unit
from tests.support.databases import connect_to
from tests.support.ledger_setup import open_account
from tests.support.patience import PATIENCE_S

LENGTHEN = "UPDATE profiles SET name = name || 'x' WHERE account_id = 'acme'"
NAMES = "SELECT name FROM profiles"


@pytest.fixture
async def profile(store):
    await store.write(
        write_unit(
            "INSERT INTO profiles (account_id, email, name, referral_code, metadata, stripe_customer_id, "
            "customer_attempt) "
            "VALUES ('acme', '', '', '', '', '', 1)"
        )
    )


@asynccontextmanager
async def somebody_else_holding_the_lock(database):
    """Another program's transaction, which a write to the profile has to wait for."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        return
    connection = await connect_to(database.url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT * FROM profiles WHERE account_id = 'acme' FOR UPDATE")
            yield
    finally:
        await connection.close()


async def waits_for_the_lock(database, running):
    """Returns once the unit has begun and can't go on."""
    if database.store == "sqlite":
        for _ in range(20):
            await asyncio.sleep(0)  # lets the call reach the connection's thread, which then waits
        return
    connection = await connect_to(database.url)
    try:
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not running.done()
    finally:
        await connection.close()


async def no_transaction_is_open(database):
    if database.store == "sqlite":
        outside(database)  # begins a write without waiting
        return True
    rows = outside(
        database,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in "
        "transaction%'",
    )
    return rows == [(0,)]


@pytest.mark.usefixtures("profile")
async def test_a_cancelled_caller_does_not_stop_what_began(store, database):
    async with somebody_else_holding_the_lock(database):
        caller = asyncio.create_task(store.write(write_unit(LENGTHEN)))
        await waits_for_the_lock(database, caller)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    await store.write(write_unit(LENGTHEN))
    await store.close()
    assert outside(database, NAMES) == [("xx",)]


@pytest.mark.usefixtures("profile")
async def test_closing_waits_for_what_began(store, database):
    async with somebody_else_holding_the_lock(database):
        writing = asyncio.create_task(store.write(write_unit(LENGTHEN)))
        await waits_for_the_lock(database, writing)
        closing_store = asyncio.create_task(store.close())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not closing_store.done()
    await writing
    await closing_store
    assert outside(database, NAMES) == [("x",)]


async def test_a_closed_store_says_so(store):
    await store.close()
    for call in (lambda: store.write(write_unit("SELECT 1")), lambda: store.read(read_unit("SELECT 1")), store.probe):
        with pytest.raises(Failure) as caught:
            await call()
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


@pytest.mark.usefixtures("profile")
async def test_a_storm_of_cancellations_leaves_no_lock(store, database):
    dice = random.Random(7)

    async def one():
        call = asyncio.create_task(store.write(write_unit(LENGTHEN)))
        for _ in range(dice.randrange(40)):
            await asyncio.sleep(0)
        if dice.random() < 0.6:
            call.cancel()
        return await asyncio.gather(call, return_exceptions=True)

    answers = [answer for (answer,) in await asyncio.gather(*(one() for _ in range(80)))]
    cancelled = sum(isinstance(answer, asyncio.CancelledError) for answer in answers)
    assert 0 < cancelled < 80
    await asyncio.wait_for(store.write(write_unit(LENGTHEN)), PATIENCE_S)
    while store._running:  # units whose callers are gone; a pool may serve them last
        await asyncio.wait(store._running)
    assert await no_transaction_is_open(database)
    acknowledged = len([answer for answer in answers if answer == [1]]) + 1
    await store.close()
    assert acknowledged + cancelled == 81
    assert acknowledged <= len(outside(database, NAMES)[0][0]) <= 81


async def test_cancelled_reads_give_their_connections_back(store):
    for _ in range(30):
        call = asyncio.create_task(store.read(read_unit(NAMES)))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    answers = await asyncio.wait_for(asyncio.gather(*(store.read(read_unit(NAMES)) for _ in range(20))), PATIENCE_S)
    assert answers == [[]] * 20


async def test_a_probe_changes_nothing(store, database, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)
    counted = store.counters.commits
    await store.probe()
    assert store.counters.commits == counted
    assert outside(database, "SELECT balance, version FROM accounts") == [(5, 1)]
    assert await no_transaction_is_open(database)


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_probe_needs_the_right_to_write(store, database, monkeypatch):
    monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_S", 0.001)
    async with somebody_else_holding_the_lock(database):
        with pytest.raises(Failure) as caught:
            await store.probe()
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    await store.probe()


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_a_probe_refuses_a_read_only_server(database):
    outside(database, f"ALTER DATABASE {urlsplit(database.url).path[1:]} SET default_transaction_read_only = on")
    store = await database.open()
    try:
        with pytest.raises(Failure) as caught:
            await store.probe()
        with pytest.raises(Failure):
            await store.write(write_unit("DELETE FROM profiles"))
    finally:
        await store.close()
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.usefixtures("profile")
async def test_a_lost_connection_is_a_failure_and_heals(store, database):
    async with somebody_else_holding_the_lock(database):
        caller = asyncio.create_task(store.write(write_unit(LENGTHEN)))
        await waits_for_the_lock(database, caller)
        outside(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'prepaid-billing' "
            "AND datname = current_database() AND pid <> pg_backend_pid()",
        )
        with pytest.raises(Failure) as caught:
            await caller
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert await store.write(write_unit(LENGTHEN)) == [1]
    assert outside(database, NAMES) == [("x",)]
