"""A conditional write: all that a unit does, in one step, on those of its accounts that are as it expected."""

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
NO_HOLDS = (0, 0, 0)

pytestmark = pytest.mark.unchecked_ledger
"""Versions are made here without a transaction."""


def expected(name, version=0, last="", frozen=0, overdraft_limit=0, *, debt_max=-1, limits_version=0):
    return (name, version, last, frozen, overdraft_limit, debt_max, limits_version)


def conditional(expectations, keys, *, runs=None):
    """A unit that makes the next version of accounts, and spends keys of the first of them beside. It answers with the
    accounts that were not as expected."""

    def work():
        if runs is not None:
            runs.append(None)
        accounts = [(*row, row[1] + 1, f"txn_{row[0]}", b"x", 0, 0, 0, row[1] + 1, *NO_HOLDS) for row in expectations]
        spent = [(expectations[0][0], key, "tests/ConditionalWrite", b"f", b"reply", "", 1) for key in keys]
        answer = yield ConditionalWrite(
            (UPDATE_ACCOUNTS.many(accounts), INSERT_KEYS.many(spent)), LOCK_UNCHANGED_ACCOUNTS.many(expectations)
        )
        return sorted(answer)

    return work


@pytest.fixture
async def names(store, clock, ids):
    made = [f"account {number:03d}" for number in range(3)]
    for name in made:
        await open_account(store, name, clock=clock, ids=ids)
    return made


async def test_it_is_one_transaction(store, database, names):
    assert await store.write(conditional([expected(name) for name in names], ["k"])) == []
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
@pytest.mark.parametrize("place", [0, 2], ids=["with a key", "without"])
async def test_an_account_that_is_not_as_expected_is_named_and_left_alone(*, store, database, names, wrong, place):
    """All that is of the others is written, in the same step."""
    runs = []
    expectations = [expected(name) for name in names]
    expectations[place] = expected(**({"name": names[place]} | wrong))
    commits = store.counters.commits
    assert await store.write(conditional(expectations, ["k"], runs=runs)) == [expectations[place][0]]
    assert (len(runs), store.counters.stale, store.counters.commits) == (1, 1, commits + 1)
    assert outside(database, STATE) == [(2, 0 if place == 0 else 1)]
    assert outside(database, f"SELECT version FROM accounts WHERE account_id = '{names[place]}'") == [(0,)]


async def test_where_no_account_is_as_expected_nothing_is_written(store, database, names):
    commits = store.counters.commits
    assert await store.write(conditional([expected(name, version=7) for name in names], ["k"])) == names
    assert (store.counters.stale, store.counters.commits) == (1, commits)
    assert outside(database, STATE) == [(0, 0)]


async def test_a_constraint_that_is_met_stops_all(store, database, names):
    await store.write(conditional([expected(names[0])], ["k"]))
    runs = []
    now = expected(names[0], version=1, last=f"txn_{names[0]}")
    with pytest.raises(Failure) as caught:
        await store.write(conditional([now, expected(names[1])], ["new", "k"], runs=runs))
    assert (caught.value.reason, len(runs), store.counters.stale) == (Reason.CONFLICT, ATTEMPTS_MAX, ATTEMPTS_MAX)
    assert outside(database, STATE) == [(1, 1)]
    assert await store.write(conditional([now, expected(names[1])], ["new"])) == []
    assert outside(database, STATE) == [(3, 2)]


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
    """Of racing units each account is written by one, and none is thrown out."""

    async def race(number):
        expectations = [expected(name) for name in (names if number % 2 else reversed(names))]
        return await store.write(conditional(expectations, [f"k{number}"]))

    told = await asyncio.gather(*(race(number) for number in range(40)))
    assert sum(len(names) - len(others) for others in told) == len(names)
    assert store.counters.conflicts == 0
    assert outside(database, "SELECT sum(version) FROM accounts") == [(3,)]


async def test_it_waits_for_nobodys_lock(store, database, names):
    """What was decided before a wait may not be so after it. SQLite's lock is of the whole file."""
    async with lock_of_another_program(database, names[0]):
        started = time.monotonic()
        answer = asyncio.gather(
            store.write(conditional([expected(name) for name in names], ["k"])), return_exceptions=True
        )
        (told,) = await answer
        # Each attempt that waited would take the lock's time limit; those that don't take moments, on a busy machine
        # too.
        assert time.monotonic() - started < ATTEMPTS_MAX * LOCK_TIMEOUT_MS / 1000
    if store.name == "sqlite":
        assert (told.reason, store.counters.stale) == (Reason.CONFLICT, ATTEMPTS_MAX)
        assert await store.write(conditional([expected(name) for name in names], ["k"])) == []
    else:
        assert (told, store.counters.stale) == (names[:1], 1)
        assert outside(database, STATE) == [(2, 0)]
        assert await store.write(conditional([expected(names[0])], ["k"])) == []
    assert outside(database, STATE) == [(3, 1)]


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
