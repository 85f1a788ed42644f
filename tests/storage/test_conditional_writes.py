"""A conditional write: all that a unit does, whole or not at all, on rows that are as it expected."""

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from billing_service.domain.refusals import Failure, Reason
from billing_service.storage.postgres.session import LOCK_TIMEOUT_MS
from billing_service.storage.rows.keys import INSERT as INSERT_KEYS
from billing_service.storage.rows.ledger_statements import LOCK_UNCHANGED_ACCOUNTS, UPDATE_ACCOUNTS
from billing_service.storage.sqlite.statements import ROWS_MAX, SqliteStatements
from billing_service.storage.statements import ConditionalWrite, Together
from billing_service.storage.store import ATTEMPTS_MAX
from tests.storage.raw_units import outside
from tests.support.ledger_setup import lock_of_another_program, open_account

STATE = "SELECT (SELECT sum(version) FROM accounts), (SELECT count(*) FROM idempotency_keys)"
SEVERAL = 150
NO_HOLDS = (0, 0, None, 0)

pytestmark = pytest.mark.unchecked_ledger
"""Versions are made here without a transaction."""


def expected(name, version=0, last="", frozen=0, overdraft_limit=0, *, debt_max=-1, limits_version=0):
    return (name, version, last, frozen, overdraft_limit, debt_max, limits_version)


def conditional(expectations, keys, *, runs=None):
    """A unit that makes the next version of accounts, and spends keys beside them."""

    def work():
        if runs is not None:
            runs.append(None)
        accounts = [(*row, row[1] + 1, f"txn_{row[0]}", b"x", 0, 0, 0, row[1] + 1, *NO_HOLDS) for row in expectations]
        spent = [("acme", key, "tests/ConditionalWrite", b"f", b"reply", "", 1) for key in keys]
        answer = yield ConditionalWrite(
            (UPDATE_ACCOUNTS.many(accounts), INSERT_KEYS.many(spent)), LOCK_UNCHANGED_ACCOUNTS.many(expectations)
        )
        assert answer is None
        return "done"

    return work


@pytest.fixture
async def names(store, clock, ids):
    made = [f"account {number:03d}" for number in range(3)]
    for name in made:
        await open_account(store, name, clock=clock, ids=ids)
    return made


async def test_it_is_one_transaction(store, database, names):
    assert await store.write(conditional([expected(name) for name in names], ["k"])) == "done"
    assert outside(database, STATE) == [(3, 1)]
    assert outside(database, "SELECT DISTINCT last_transaction_id, balance FROM accounts ORDER BY 1")[0] == (
        "txn_account 000",
        0,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 1},
        {"last": "txn_other"},
        {"frozen": 1},
        {"overdraft_limit": 5},
        {"debt_max": 5},
        {"limits_version": 5},
        {"name": "nobody"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_one_row_that_is_not_as_expected_stops_all_and_runs_the_unit_again(store, database, names, wrong):
    runs = []
    expectations = [expected(name) for name in names[:2]] + [expected(**({"name": names[2]} | wrong))]
    with pytest.raises(Failure) as caught:
        await store.write(conditional(expectations, ["k"], runs=runs))
    assert caught.value.reason is Reason.CONFLICT
    assert (len(runs), store.counters.stale, store.counters.commits) == (ATTEMPTS_MAX, ATTEMPTS_MAX, 3)
    assert outside(database, STATE) == [(0, 0)]


async def test_a_constraint_that_is_met_stops_all(store, database, names):
    await store.write(conditional([expected(names[0])], ["k"]))
    with pytest.raises(Failure):
        await store.write(conditional([expected(names[1])], ["new", "k"]))
    assert outside(database, STATE) == [(1, 1)]
    await store.write(conditional([expected(names[1])], ["new"]))
    assert outside(database, STATE) == [(2, 2)]


def unconditional(expectations, keys):
    """A unit that writes such rows in an ordinary transaction."""

    def work():
        step = next(conditional(expectations, keys)())
        counts = yield Together(step.calls)
        assert counts == [len(call.values) for call in step.calls]

    return work


@pytest.mark.parametrize("unit", [conditional, unconditional])
@pytest.mark.parametrize("count", [1, 2, 3, ROWS_MAX, ROWS_MAX + SEVERAL])
async def test_any_number_of_rows(store, database, names, count, unit):
    keys = [f"k{number:04d}" for number in range(count)]
    await store.write(unit([expected(name) for name in names], keys))
    assert outside(database, "SELECT count(*), min(idempotency_key), max(idempotency_key) FROM idempotency_keys") == [
        (count, keys[0], keys[-1])
    ]


async def test_opposite_orders_never_deadlock(store, database, names):
    """Racing units are contradicted, and never thrown out."""

    async def race(number):
        expectations = [expected(name) for name in (names if number % 2 else reversed(names))]
        return await store.write(conditional(expectations, [f"k{number}"]))

    told = await asyncio.gather(*(race(number) for number in range(40)), return_exceptions=True)
    assert told.count("done") == 1
    assert store.counters.conflicts == 0
    assert outside(database, STATE) == [(3, 1)]


async def test_it_waits_for_nobodys_lock(store, database, names):
    """What was decided before a wait may not be so after it."""
    async with lock_of_another_program(database, names[0]):
        started = time.monotonic()
        with pytest.raises(Failure) as caught:
            await store.write(conditional([expected(name) for name in names], ["k"]))
        # Each attempt that waited would take the lock's time limit; those that don't take moments, on a busy machine
        # too.
        assert time.monotonic() - started < ATTEMPTS_MAX * LOCK_TIMEOUT_MS / 1000
    assert (caught.value.reason, store.counters.stale) == (Reason.CONFLICT, ATTEMPTS_MAX)
    assert await store.write(conditional([expected(name) for name in names], ["k"])) == "done"


async def test_none_begins_once_the_store_is_closed(store, names):
    await store.close()
    with pytest.raises(Failure) as caught:
        await store.write(conditional([expected(names[0])], ["k"]))
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.parametrize("form", ["spread", "repeated"])
def test_sqlite_finds_updated_rows_by_their_key(database, form):
    """And does not read the whole table for each batch, nor make an index of it."""
    call, statements = (
        UPDATE_ACCOUNTS.many([(*expected("acme"), 1, "t", b"x", 0, 0, 0, 1, *NO_HOLDS)] * 40),
        SqliteStatements(),
    )
    text, values = (
        statements.spread(call)[0]
        if form == "spread"
        else (statements.repeated(call).text, statements.repeated(call).rows[0])
    )
    with closing(sqlite3.connect(database.path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    assert any("SEARCH accounts USING PRIMARY KEY (account_id=?)" in step for step in plan), plan
    assert not any("SCAN accounts" in step or "AUTOMATIC" in step for step in plan), plan
