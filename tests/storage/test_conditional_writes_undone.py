"""A conditional write that is wrong elsewhere than in its accounts, or whose commit fails, or that meets others: each
account whole or not at all."""

import asyncio
import random
import sqlite3

import pytest

from billing_service.domain.refusals import Failure, Reason
from billing_service.storage.rows.keys import INSERT as INSERT_KEYS
from billing_service.storage.rows.ledger_statements import (
    LOCK_UNCHANGED_ACCOUNTS,
    UPDATE_ACCOUNTS,
    UPDATE_LOTS,
    UPDATE_LOTS_AND_OPEN_FLAG,
)
from billing_service.storage.statements import ConditionalWrite
from tests.storage.raw_units import outside, read_unit, write_unit
from tests.support.ledger_setup import open_account
from tests.support.patience import PATIENCE_S

STATE = "SELECT (SELECT sum(version) FROM accounts), (SELECT count(*) FROM idempotency_keys)"
WAITS_FOR_THE_DISK = {
    "sqlite": ("PRAGMA synchronous", 2),
    "postgresql": ("SELECT current_setting('synchronous_commit')", "on"),
}
NAMES = [f"account {number:02d}" for number in range(20)]

pytestmark = pytest.mark.unchecked_ledger
"""Versions are made here without a transaction."""


def spent(key):
    return INSERT_KEYS.many([("acme", key, "tests/ConditionalWrite", b"f", b"reply", "", 1)])


def conditional(name, *beside):
    """A unit that makes an account's first version, and does something beside."""

    def work():
        expected = (name, 0, "", 0, 0, -1, 0)
        moved = UPDATE_ACCOUNTS.many([(*expected, 1, f"txn_{name}", b"x", 0, 0, 0, 1, 0, 0, 0)])
        yield ConditionalWrite((moved, *beside), LOCK_UNCHANGED_ACCOUNTS.many([expected]))
        return "done"

    return work


@pytest.fixture(autouse=True)
async def accounts(store, clock, ids):
    for name in NAMES:
        await open_account(store, name, clock=clock, ids=ids)


@pytest.mark.parametrize(
    "lots",
    [
        UPDATE_LOTS.many([(NAMES[0], "lot_nowhere", 1, 0)]),
        UPDATE_LOTS_AND_OPEN_FLAG.many([(NAMES[0], "lot_nowhere", 0, 0, 0)]),
    ],
)
async def test_a_write_that_finds_no_row_stops_all(store, database, lots):
    """The account is as expected; what else was to change is not there."""
    with pytest.raises(Failure) as caught:
        await store.write(conditional(NAMES[0], lots, spent("k")))
    assert caught.value.reason is Reason.CONFLICT
    assert outside(database, STATE) == [(0, 0)]


async def test_a_write_that_finds_no_row_stops_all_beside_an_account_that_changed(store, database):
    """How many rows must change is counted without those of the account that is left alone."""

    def work():
        moved = [(NAMES[0], 0, "", 0, 0, -1, 0), (NAMES[1], 7, "", 0, 0, -1, 0)]
        rows = [(*expected, 1, "txn", b"x", 0, 0, 0, 1, 0, 0, None, 0) for expected in moved]
        lots = UPDATE_LOTS.many([(NAMES[0], "lot_nowhere", 1, 0), (NAMES[1], "lot_nowhere", 1, 0)])
        yield ConditionalWrite((UPDATE_ACCOUNTS.many(rows), lots), LOCK_UNCHANGED_ACCOUNTS.many(moved))

    with pytest.raises(Failure) as caught:
        await store.write(work)
    assert caught.value.reason is Reason.CONFLICT
    assert outside(database, STATE) == [(0, 0)]


async def test_units_at_once_are_each_whole(store, database):
    """Conditional writes of different accounts, and other units between them, all on their way at the same time."""
    codes = [
        write_unit(f"INSERT INTO referral_codes (referral_code, account_id) VALUES ('code {name}', '{name}')")
        for name in NAMES
    ]
    steps = [conditional(name, spent(name)) for name in NAMES]
    told = await asyncio.gather(
        *(store.write(unit) for pair in zip(steps, codes, strict=True) for unit in pair),
        store.probe(),
        return_exceptions=True,
    )
    assert told == ["done", [1]] * len(NAMES) + [None]
    assert outside(database, STATE) == [(len(NAMES), len(NAMES))]
    assert outside(database, "SELECT count(*) FROM referral_codes") == [(len(NAMES),)]


async def test_callers_that_hang_up_stop_nothing_that_began(store, database):
    dice = random.Random(7)

    async def one(name):
        call = asyncio.ensure_future(store.write(conditional(name, spent(name))))
        for _ in range(1 + dice.randrange(30)):
            await asyncio.sleep(0)
        call.cancel()
        return (await asyncio.gather(call, return_exceptions=True))[0]

    told = await asyncio.gather(*(one(name) for name in NAMES))
    assert {type(answer) for answer in told} <= {str, asyncio.CancelledError}
    assert any(isinstance(answer, asyncio.CancelledError) for answer in told)
    assert await asyncio.wait_for(store.write(write_unit("SELECT 1")), PATIENCE_S)
    await store.close()
    assert outside(database, STATE) == [(len(NAMES), len(NAMES))]


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_probe_begins_once_nobody_writes(store, monkeypatch):
    begun = []
    call = store._call
    monkeypatch.setattr(store, "_call", lambda *args: begun.append(args) or call(*args))
    async with store._writing:
        probing = asyncio.ensure_future(store.probe())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not begun
    await probing
    assert len(begun) == 1


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_commit_that_fails_is_told_and_leaves_nothing(store, database):
    raw = store._writer._conn

    def no_commit(action, what, *_):
        return sqlite3.SQLITE_DENY if (action, what) == (sqlite3.SQLITE_TRANSACTION, "COMMIT") else sqlite3.SQLITE_OK

    committed = store.counters.commits
    raw.set_authorizer(no_commit)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        await store.write(conditional(NAMES[0], spent("k")))
    raw.set_authorizer(None)
    assert outside(database, STATE) == [(0, 0)]
    assert store.counters.commits == committed
    assert await store.write(conditional(NAMES[0], spent("k"))) == "done"
    assert outside(database, STATE) == [(1, 1)]


async def test_the_session_still_waits_for_the_disk(store, database):
    question, answer = WAITS_FOR_THE_DISK[database.store]
    await store.write(conditional(NAMES[0], spent("k")))
    assert await store.write(read_unit(question)) == [(answer,)]
