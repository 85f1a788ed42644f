"""Rows as a program of the first schema writes them: lots by `remaining` alone, and none of the columns that came
since."""

from sqlalchemy import Column, MetaData, Table

from billing_service.storage.rows.ledger_statements import (
    INSERT_ENTRIES,
    INSERT_LOTS,
)
from billing_service.storage.schema import accounts, lots, transactions
from billing_service.storage.statements import Together, bulk_insert, bulk_update

INSERT_TRANSACTIONS = bulk_insert(
    Table("transactions", MetaData(), *[Column(each.name, each.type) for each in list(transactions.columns)[:13]])
)
UPDATE_LOTS_AND_OPEN_FLAG = bulk_update(lots, ("account_id", "lot_id"), ("remaining", "is_open"))
UPDATE_ACCOUNTS = bulk_update(
    accounts, ("account_id",), ("version", "last_transaction_id", "last_hash", "balance", "debt", "set_aside")
)


LOT = (
    "lot_id",
    "category",
    "priority",
    "amount",
    "remaining",
    "is_open",
    "create_time_us",
    "effective_time_us",
    "expire_time_us",
    "source_id",
)
TRANSACTION = (
    "account_id",
    "transaction_id",
    "version",
    "previous_id",
    "kind",
    "amount",
    "balance_after",
    "create_time_us",
    "source_id",
    "caller",
    "description",
    "metadata",
    "hash",
)
ACCOUNT = ("account_id", "version", "last_transaction_id", "last_hash", "balance", "debt", "set_aside")


def write_accounts(changed):
    """Lots by `remaining` alone, and no version that columns were caught up to."""
    for account in changed:
        opened = {lot.lot_id for lot in account.new_lots}
        for lot in account.new_lots:
            yield _one(INSERT_LOTS, account.account_id, *_lot(lot), 0, "", 0)
        for lot in account.changed_lots.values():
            if lot.lot_id not in opened:
                row = (account.account_id, lot.lot_id, lot.remaining, int(lot.remaining > 0))
                yield _one(UPDATE_LOTS_AND_OPEN_FLAG, *row)
        for transaction in account.transactions:
            row = [getattr(transaction, name) for name in TRANSACTION]
            yield _one(INSERT_TRANSACTIONS, *(int(value) if value is transaction.kind else value for value in row))
            moved = enumerate(transaction.entries)
            entries = [(account.account_id, transaction.transaction_id, number, *entry) for number, entry in moved]
            yield Together((INSERT_ENTRIES.many(entries),))
        yield _one(UPDATE_ACCOUNTS, *(getattr(account, name) for name in ACCOUNT))


def _one(statement, *row):
    return Together((statement.many([row]),))


def _lot(lot):
    shown = {"is_open": int(lot.remaining > 0), "category": int(lot.category)}
    return [shown[name] if name in shown else getattr(lot, name) for name in LOT]
