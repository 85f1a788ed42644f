"""Rows as verification reads them: account by account, from the entries up."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select, union_all

from billing_service.domain.entries import Place
from billing_service.storage.schema import accounts, entries, lots, transactions
from billing_service.storage.statements import Work, reading

NEXT_ACCOUNTS = reading(
    "next accounts",
    select(*accounts.columns).where(accounts.c.account_id > bindparam("after")).order_by(accounts.c.account_id).limit(bindparam("page")),
    "after",
    "page",
)
ONE_ACCOUNT = reading("one account", select(*accounts.columns).where(accounts.c.account_id == bindparam("account_id")), "account_id")
HISTORY = reading(
    "read history",
    select(
        transactions.c.transaction_id,
        transactions.c.version,
        transactions.c.previous_id,
        transactions.c.amount,
        transactions.c.balance_after,
    )
    .where(transactions.c.account_id == bindparam("account_id"))
    .order_by(transactions.c.version),
    "account_id",
)
_OUT = select(entries.c.source.label("place"), (-func.sum(entries.c.amount)).label("moved")).where(
    entries.c.account_id == bindparam("account_id")
)
_IN = select(entries.c.destination.label("place"), func.sum(entries.c.amount).label("moved")).where(
    entries.c.account_id == bindparam("account_id")
)
_MOVED = union_all(_OUT.group_by(entries.c.source), _IN.group_by(entries.c.destination)).subquery("moved")
PLACES = reading("sum places", select(_MOVED.c.place, func.sum(_MOVED.c.moved)).group_by(_MOVED.c.place), "account_id")
LOTS = reading("read all lots", select(lots.c.lot_id, lots.c.remaining).where(lots.c.account_id == bindparam("account_id")), "account_id")
ENTRIES_BY_TRANSACTION = reading(
    "count entries",
    select(entries.c.transaction_id, func.count(), func.max(entries.c.position))
    .where(entries.c.account_id == bindparam("account_id"))
    .group_by(entries.c.transaction_id),
    "account_id",
)
EFFECTS = reading(
    "sum effects",
    select(
        entries.c.transaction_id,
        func.sum(
            entries.c.amount
            * (
                literal_column(
                    f"CASE WHEN entries.destination LIKE 'lot!_%' ESCAPE '!' OR entries.destination = '{Place.DEBT}' THEN 1 ELSE 0 END"
                )
                - literal_column(f"CASE WHEN entries.source LIKE 'lot!_%' ESCAPE '!' OR entries.source = '{Place.DEBT}' THEN 1 ELSE 0 END")
            )
        ),
    )
    .where(entries.c.account_id == bindparam("account_id"))
    .group_by(entries.c.transaction_id),
    "account_id",
)


def next_accounts(after: str, page: int) -> Work[list[Sequence[Any]]]:
    return list((yield NEXT_ACCOUNTS(after, page)))


def one_account(account_id: str) -> Work[list[Sequence[Any]]]:
    return list((yield ONE_ACCOUNT(account_id)))
