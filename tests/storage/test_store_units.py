"""A unit of work is whole or absent, alone while it runs, and ends whatever becomes of its caller."""

import asyncio
import os
import sqlite3
from contextlib import suppress

import asyncpg
import pytest
import structlog
from sqlalchemy import text

from billing_service.domain.refusals import Failure, Reason, Refusal
from billing_service.domain.spending.deductions import DeductionMode, deduct
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger import LostUpdateError, expect, write_accounts
from billing_service.storage.rows.ledger_statements import INSERT_ACCOUNT, UPDATE_ACCOUNTS
from billing_service.storage.statements import writing
from billing_service.storage.store import ATTEMPTS_MAX, BEGIN_AND_COMMIT, ConflictError
from tests.storage.raw_units import CONSTRAINT_ERRORS, outside, read_unit, write_unit
from tests.support.ledger_setup import give, open_account
from tests.support.patience import PATIENCE_S

ROUNDS = 500 if os.environ.get("BILLING_LONG_TESTS") == "1" else 25
"""Of twenty transfers at once."""
LOCKED = (sqlite3.OperationalError, asyncpg.LockNotAvailableError)
COUNT = "SELECT count(*) FROM accounts"


def make(account_id):
    return INSERT_ACCOUNT(account_id, 1)


def spend(account_id, amount, clock, ids):
    """Read, check, write: the unit that loses updates when it does not run alone."""

    def work():
        account = (yield from lock_accounts([account_id]))[account_id]
        deduct(account, amount, DeductionMode.REJECT, now_us=clock(), ids=ids)
        yield from write_accounts([account])

    return work


async def balance(store, account_id):
    return (await store.read(read_unit(f"SELECT balance FROM accounts WHERE account_id = '{account_id}'")))[0][0]


async def test_an_exception_in_a_unit_leaves_nothing(store, database):
    def work():
        yield make("acme")
        raise Refusal(Reason.ACCOUNT_FROZEN, "no")

    with pytest.raises(Refusal):
        await store.write(work)
    assert outside(database, COUNT) == [(0,)]
    assert store.counters.commits == 0


async def test_a_statement_that_fails_leaves_nothing(store, database):
    bad = writing("bad", text("INSERT INTO referrals SELECT * FROM referrals WHERE nothing = 1"))

    def work():
        yield make("acme")
        yield bad()

    with pytest.raises((sqlite3.OperationalError, asyncpg.UndefinedColumnError)):
        await store.write(work)
    assert outside(database, COUNT) == [(0,)]


async def test_a_unit_cannot_swallow_a_statements_error(store, database):
    """SQLite would go on after a failed statement and keep what came before it; PostgreSQL would not. Here neither
    does."""
    twice = writing("twice", text("INSERT INTO referral_codes (referral_code, account_id) VALUES ('code', 'acme')"))

    def work():
        yield make("acme")
        yield twice()
        with suppress(Exception):  # the mistake that is tried here
            yield twice()
        yield make("beta")

    with pytest.raises(CONSTRAINT_ERRORS):
        await store.write(work)
    assert outside(database, COUNT) == [(0,)]
    assert outside(database, "SELECT count(*) FROM referral_codes") == [(0,)]


async def test_a_write_that_changes_nothing_is_loud(store, database):
    def work():
        expect(
            (yield UPDATE_ACCOUNTS.many([("acme", 0, "", 0, 0, -1, 0, 1, "txn_1", b"", 0, 0, 0, 1, 0, 0, 0)])),
            1,
            "update accounts",
        )

    with pytest.raises(LostUpdateError, match="0 rows changed, 1 expected"):
        await store.write(work)
    assert outside(database, COUNT) == [(0,)]


@pytest.mark.parametrize("lost", ["lots", "accounts"])
async def test_a_lost_row_stops_the_unit(store, database, clock, ids, lost):
    """A lot or account that is not where it was read: nothing is written."""
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=10)
    before = outside(database, "SELECT balance, version FROM accounts")

    def work():
        account = (yield from lock_accounts(["acme"]))["acme"]
        deduct(account, 1, DeductionMode.REJECT, now_us=clock(), ids=ids)
        if lost == "lots":
            account.lots[0].lot_id = "lot_elsewhere"
            account.changed_lots = {"lot_elsewhere": account.lots[0]}
        else:
            account.account_id = "elsewhere"
        yield from write_accounts([account])

    with pytest.raises(LostUpdateError):
        await store.write(work)
    assert outside(database, "SELECT balance, version FROM accounts") == before


async def test_nobody_else_writes_what_a_unit_has_read(store, database, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=30)
    statement = "SELECT balance FROM accounts WHERE account_id = 'acme'" + (
        " FOR UPDATE" if database.store == "postgresql" else ""
    )
    refused = []

    def work():
        yield from lock_accounts(["acme"])
        with pytest.raises(LOCKED) as caught:
            outside(database, statement)
        refused.append(caught.value)

    await store.write(work)
    assert len(refused) == 1
    assert outside(database, statement) == [(30,)]


async def test_fifty_read_check_write_units_on_thirty_credits(store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=30)
    results = await asyncio.gather(
        *(store.write(spend("acme", 1, clock, ids)) for _ in range(50)), return_exceptions=True
    )
    assert results.count(None) == 30
    assert [error.reason for error in results if error is not None] == [Reason.INSUFFICIENT_CREDITS] * 20
    assert await balance(store, "acme") == 0


async def test_a_unit_reads_what_was_committed_while_it_waited(store, database, clock, ids):
    """The lots are read after the lock was granted, never before: what another process granted meanwhile is
    spendable."""
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1)
    other = await database.open() if database.store == "postgresql" else store
    try:
        await asyncio.gather(
            store.write(spend("acme", 1, clock, ids)),
            *(give(other, "acme", 10, clock=clock, ids=ids) for _ in range(5)),
        )
        await store.write(spend("acme", 50, clock, ids))
    finally:
        if other is not store:
            await other.close()
    assert await balance(store, "acme") == 0


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.timeout(600)
async def test_opposite_orders_never_deadlock(store, clock, ids):
    names = ["acme", "beta", "gamma"]
    for name in names:
        await open_account(store, name, clock=clock, ids=ids, microcredits=100_000)

    def both(order):
        def work():
            locked = yield from lock_accounts(order)
            for account in locked.values():
                deduct(account, 1, DeductionMode.REJECT, now_us=clock(), ids=ids)
            yield from write_accounts(list(locked.values()))

        return work

    async def transfer(order):
        """Again, as a caller would, where the machine was too busy for the lock to come in time."""
        while True:
            try:
                return await store.write(both(order))
            except Failure as failure:
                if failure.reason is not Reason.CONFLICT:
                    raise

    orders = [names, names[::-1], names[:2], names[1::-1], names[1:], names[:0:-1]]
    with structlog.testing.capture_logs() as lines:
        for _ in range(ROUNDS):
            await asyncio.gather(*(transfer(orders[number % len(orders)]) for number in range(20)))
    # A machine that is busy enough makes one wait for longer than a lock is waited for; that is run again, and is no
    # deadlock.
    assert {line["error"] for line in lines if line["event"] == "database"} <= {"LockNotAvailableError"}
    assert store._pool.get_idle_size() == store._pool.get_size(), "a connection was not given back"
    await asyncio.wait_for(store.write(both(names)), PATIENCE_S)
    taken = sum(len(orders[n % 6]) for n in range(20)) * ROUNDS + len(names)
    assert sum([await balance(store, name) for name in names]) == 300_000 - taken


async def test_a_conflict_reruns_the_unit_from_its_start(store, database):
    runs = []

    def work():
        yield make("acme")
        runs.append(None)
        if len(runs) < 3:
            raise ConflictError("another writer")

    await store.write(work)
    assert (len(runs), store.counters.conflicts, store.counters.commits) == (3, 2, 1)
    assert outside(database, COUNT) == [(1,)]


async def test_each_attempt_is_given_its_number(store):
    attempts = []

    def work(attempt):
        attempts.append(attempt)
        yield make("acme")
        if attempt < 3:
            raise ConflictError("another writer")
        return attempt

    assert (await store.write_by_attempt(work), attempts) == (3, [1, 2, 3])
    assert await store.write_by_attempt(lambda attempt: (yield make("beta")) and attempt) == 1


async def test_conflicts_without_end_are_told(store, database):
    runs = []

    def work():
        yield make("acme")
        runs.append(None)
        raise ConflictError("another writer")

    with pytest.raises(Failure) as caught:
        await store.write(work)
    assert caught.value.reason is Reason.CONFLICT
    assert len(runs) == ATTEMPTS_MAX
    assert outside(database, COUNT) == [(0,)]


async def test_reading_writes_nothing(store, database):
    def work():
        yield make("acme")

    with pytest.raises(Failure) as caught:
        await store.read(work)
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert outside(database, COUNT) == [(0,)]
    assert await store.read(read_unit(COUNT)) == [(0,)]


async def test_reads_hold_all_that_was_acknowledged(store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids)
    for total in range(1, 31):
        await give(store, "acme", 1, clock=clock, ids=ids)
        assert await asyncio.gather(*(balance(store, "acme") for _ in range(3))) == [total] * 3


async def test_a_read_is_one_snapshot(store, clock, ids):
    """Balance and lots read by separate statements belong to one moment, while a writer moves both."""
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1_000)
    first, second = read_unit("SELECT balance FROM accounts"), read_unit("SELECT remaining FROM lots")

    def both():
        return ((yield from first()), (yield from second()))

    async def writer():
        for _ in range(30):
            await store.write(spend("acme", 1, clock, ids))

    writing_on = asyncio.create_task(writer())
    while not writing_on.done():
        one, other = await store.read(both)
        assert one == other
    await writing_on


async def test_statements_are_counted(store):
    await store.write(write_unit("SELECT 1", "SELECT 2"))
    assert (store.counters.statements, store.counters.commits) == (2 + BEGIN_AND_COMMIT, 1)
