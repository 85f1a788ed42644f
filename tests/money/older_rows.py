"""Rows as a program of the first schema writes them: lots by `remaining` alone, and none of the columns that came
since."""

from collections import Counter

from sqlalchemy import Column, MetaData, Table

from billing_service.storage.rows.ledger_statements import (
    INSERT_ENTRIES,
    INSERT_LOTS,
    UPDATE_LOTS_AND_OPEN_FLAG,
)
from billing_service.storage.schema import accounts, transactions
from billing_service.storage.statements import Together, bulk_insert, bulk_update

INSERT_TRANSACTIONS = bulk_insert(
    Table("transactions", MetaData(), *[Column(each.name, each.type) for each in list(transactions.columns)[:13]])
)
UPDATE_ACCOUNTS = bulk_update(
    accounts, ("account_id",), ("version", "last_transaction_id", "last_hash", "balance", "debt", "set_aside")
)


def _write_accounts(changed):
    """Lots by `remaining` alone, and no version that columns were caught up to."""
    opened = Counter(lot.lot_id for account in changed for lot in account.new_lots)
    calls = []
    for account in changed:
        calls += [
            INSERT_LOTS.many(
                [
                    (
                        account.account_id,
                        lot.lot_id,
                        int(lot.category),
                        lot.priority,
                        lot.amount,
                        lot.remaining,
                        int(lot.remaining > 0),
                        lot.create_time_us,
                        lot.effective_time_us,
                        lot.expire_time_us,
                        lot.source_id,
                        0,
                        "",
                    )
                ]
            )
            for lot in account.new_lots
        ]
        calls += [
            UPDATE_LOTS_AND_OPEN_FLAG.many([(account.account_id, lot.lot_id, lot.remaining, int(lot.remaining > 0))])
            for lot in account.changed_lots.values()
            if lot.lot_id not in opened
        ]
        for t in account.transactions:
            calls.append(
                INSERT_TRANSACTIONS.many(
                    [
                        (
                            t.account_id,
                            t.transaction_id,
                            t.version,
                            t.previous_id,
                            int(t.kind),
                            t.amount,
                            t.balance_after,
                            t.create_time_us,
                            t.source_id,
                            t.caller,
                            t.description,
                            t.metadata,
                            t.hash,
                        )
                    ]
                )
            )
            calls.append(
                INSERT_ENTRIES.many([(t.account_id, t.transaction_id, n, *entry) for n, entry in enumerate(t.entries)])
            )
        row = (
            account.account_id,
            account.version,
            account.last_transaction_id,
            account.last_hash,
            account.balance,
            account.debt,
        )
        calls.append(UPDATE_ACCOUNTS.many([(*row, account.set_aside)]))
    for call in calls:
        yield Together((call,))
