"""Accounts, grants and deductions for tests, through the same units of work that the service uses."""

import sqlite3
from contextlib import asynccontextmanager, closing

from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.ledger.lots import PRIORITY_DEFAULT, Category
from billing_service.domain.spending.deductions import DeductionMode
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from billing_service.ledger.operations.deduct import Deduct
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger import write_accounts
from billing_service.storage.rows.ledger_statements import INSERT_ACCOUNT, SET_LIMITS
from tests.support.databases import connect_to


async def open_account(
    store, account_id, *, clock, ids, microcredits=0, category=Category.PAID, overdraft_limit=0, frozen=False
):
    """Makes an account and grants it credits."""

    def work():
        yield INSERT_ACCOUNT(account_id, clock())
        if overdraft_limit or frozen:
            yield SET_LIMITS(account_id, int(frozen), overdraft_limit, -1)

    await store.write(work)
    if microcredits:
        await give(store, account_id, microcredits, clock=clock, ids=ids, category=category)


async def give(
    store,
    account_id,
    microcredits,
    *,
    clock,
    ids,
    category=Category.PAID,
    priority=PRIORITY_DEFAULT,
    expire_us=None,
    effective_us=None,
):
    """Grants a lot; answers its id."""

    def work():
        account = (yield from lock_accounts([account_id]))[account_id]
        lot = new_lot(
            microcredits,
            category,
            now_us=clock(),
            ids=ids,
            priority=priority,
            effective_time_us=effective_us,
            expire_time_us=expire_us,
        )
        grant(account, lot, Place.GRANTS, TransactionKind.GRANT, now_us=clock(), ids=ids)
        yield from write_accounts([account])
        return lot.lot_id

    return await store.write(work)


def encode(deducted, balance):
    """A reply that tests can read."""
    return f"{deducted.transaction_id} took {deducted.amount} left {balance.available}".encode()


def deduction(account_id, amount, key, *, mode=DeductionMode.REJECT, caller="tests"):
    """A deduction to submit to a LedgerWriter."""
    return Deduct(
        account_id=account_id,
        amount=amount,
        mode=mode,
        key=IdempotencyKey(account_id, key, f"{caller}/DeductCredits", fingerprint(account_id, amount, int(mode))),
        caller=caller,
        description="",
        metadata="",
        encode_reply=encode,
    )


@asynccontextmanager
async def lock_of_another_program(database, name):
    """Somebody else has the account's row, or SQLite's file."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
        return
    other = await connect_to(database.url)
    try:
        await other.execute("BEGIN")
        await other.execute("SELECT 1 FROM accounts WHERE account_id = $1 FOR UPDATE", name)
        yield
    finally:
        await other.close()
