"""Makes the accounts that the load generator spends from, each with one paid lot, through the service's own write
path."""

import argparse
import asyncio
import gc
import os
from collections.abc import Iterator

from billing_service.clock import TimeOrderedIds, system_clock_us
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.ledger.spend_limits import ACCOUNT_ITSELF
from billing_service.domain.promotions.referrals import CODE_RANDOM_BYTES, code_from_random
from billing_service.domain.spending.windows import SpendWindow
from billing_service.storage.database_url import SqliteFile, parse_database_url
from billing_service.storage.migrate import migrate
from billing_service.storage.postgres.store import open_postgres
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger import expect, write_accounts
from billing_service.storage.rows.profiles import ensure_account
from billing_service.storage.rows.spend_limits import INSERT_LIMITS, count_change
from billing_service.storage.sqlite.connections import open_sqlite
from billing_service.storage.statements import Work
from tests.bench import fill
from tests.bench.calls import SPENDERS, account_id, limited_account_id

CREDITS = 1_000_000_000_000
"""Microcredits of each account: more than any run spends."""
ACCOUNTS_A_TRANSACTION = 500


def _seed(account_ids: list[str], ids: TimeOrderedIds) -> Work[None]:
    now_us = system_clock_us()
    for account in account_ids:
        yield from ensure_account(account, now_us, lambda: code_from_random(os.urandom(CODE_RANDOM_BYTES)))
    accounts = yield from lock_accounts(account_ids)
    for account in accounts.values():
        lot = new_lot(CREDITS, Category.PAID, now_us=now_us, ids=ids)
        grant(account, lot, Place.SALES, TransactionKind.PURCHASE, now_us=now_us, ids=ids)
    yield from write_accounts(list(accounts.values()))


def _limit(account_ids: list[str]) -> Work[None]:
    """Gives the accounts and their spenders a limit each, which no run reaches."""
    now_us = system_clock_us()
    rows = [
        (account, spender, int(SpendWindow.MONTH), CREDITS, 0, 0, now_us)
        for account in account_ids
        for spender in (ACCOUNT_ITSELF, *SPENDERS)
    ]
    expect((yield INSERT_LIMITS.many(rows)), len(rows), "insert spend limits")
    for account in (yield from lock_accounts(account_ids)).values():
        yield from count_change(account)


async def seed(database_url: str, count: int, transactions: int = 0, limited: int = 0) -> None:
    """With `transactions` the accounts get a history of so many deductions. Besides them there are `limited` accounts
    with spend limits."""
    database = parse_database_url(database_url)
    await migrate(database)
    store = await (open_sqlite(database.path) if isinstance(database, SqliteFile) else open_postgres(database))
    ids = TimeOrderedIds()
    try:
        for chunk in _chunks([account_id(index) for index in range(count)]):
            await store.write(lambda chunk=chunk: _seed(chunk, ids))  # type: ignore[misc]
        for chunk in _chunks([limited_account_id(index) for index in range(limited)]):
            await store.write(lambda chunk=chunk: _seed(chunk, ids))  # type: ignore[misc]
            await store.write(lambda chunk=chunk: _limit(chunk))  # type: ignore[misc]
        if transactions:
            await fill.fill(store, count, transactions)
    finally:
        await store.close()
    if not isinstance(database, SqliteFile):
        await fill.settle(database_url)


def _chunks(account_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(account_ids), ACCOUNTS_A_TRANSACTION):
        yield account_ids[start : start + ACCOUNTS_A_TRANSACTION]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--transactions", type=int, default=0)
    parser.add_argument("--limited", type=int, default=0, help="accounts with spend limits, besides the others")
    options = parser.parse_args()
    gc.disable()  # nothing here makes cycles, and looking for them takes a third of a large fill
    asyncio.run(seed(options.database_url, options.accounts, options.transactions, options.limited))


if __name__ == "__main__":
    main()
