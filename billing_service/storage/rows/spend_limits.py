"""Rows of spend limits. An account that never had one is never asked for them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, func, select, update

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.spend_limits import ACCOUNT_ITSELF, LimitedCharge, SpendLimit
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import accounts, limited_charges, spend_limits
from billing_service.storage.statements import InList, UnlockedRead, Work, bulk_insert, bulk_update, reading, writing

_LIMIT = tuple(column for column in spend_limits.columns if column is not spend_limits.c.account_id)
_ORDER = (spend_limits.c.account_id, spend_limits.c.spender_id, spend_limits.c.spend_window)
READ_LIMITS = reading(
    "read spend limits",
    select(spend_limits.c.account_id, *_LIMIT)
    .where(InList(spend_limits.c.account_id, "list_ids"), InList(spend_limits.c.spender_id, "list_spenders"))
    .order_by(*_ORDER),
    "list_ids",
    "list_spenders",
)
ALL_LIMITS = reading(
    "read an account's spend limits",
    select(*_LIMIT).where(spend_limits.c.account_id == bindparam("account_id")).order_by(*_ORDER),
    "account_id",
)
COUNT_LIMITS = reading(
    "count spend limits",
    select(func.count()).select_from(spend_limits).where(spend_limits.c.account_id == bindparam("account_id")),
    "account_id",
)
INSERT_LIMITS = bulk_insert(spend_limits)
SET_LIMIT = bulk_update(spend_limits, ("account_id", "spender_id", "spend_window"), ("amount_max",))
REMOVE_LIMIT = writing(
    "remove spend limit",
    delete(spend_limits).where(
        spend_limits.c.account_id == bindparam("which_account"),
        spend_limits.c.spender_id == bindparam("which_spender"),
        spend_limits.c.spend_window == bindparam("which_window"),
    ),
    "which_account",
    "which_spender",
    "which_window",
)
COUNT_CHANGE = writing(
    "count a change of spend limits",
    update(accounts)
    .where(accounts.c.account_id == bindparam("which"))
    .values(limits_version=accounts.c.limits_version + 1),
    "which",
)
ALL_CHARGES = reading(
    "read who an account's charges count for",
    select(limited_charges.c.transaction_id, limited_charges.c.spender_ids, limited_charges.c.count_time_us)
    .where(limited_charges.c.account_id == bindparam("account_id"))
    .limit(bindparam("page")),
    "account_id",
    "page",
)
SET_LOW_BALANCE = writing(
    "set low balance",
    update(accounts).where(accounts.c.account_id == bindparam("which")).values(low_balance=bindparam("least")),
    "which",
    "least",
)
READ_CHARGE = reading(
    "read who a charge counts for",
    select(limited_charges.c.spender_ids, limited_charges.c.count_time_us).where(
        limited_charges.c.account_id == bindparam("account_id"),
        limited_charges.c.transaction_id == bindparam("transaction_id"),
    ),
    "account_id",
    "transaction_id",
)


def missing_limits(
    accounts_: Mapping[str, Account], named: Iterable[tuple[str, Sequence[str]]]
) -> set[tuple[str, str]]:
    """(account, spender) of what charges and loaded holds name and is not in memory."""
    missing: set[tuple[str, str]] = set()
    held = ((a.account_id, hold.spender_ids) for a in accounts_.values() for hold in a.holds.values())
    for account_id, spender_ids in chain(named, held):
        account = accounts_.get(account_id)
        if account is not None and account.limits_version:
            wanted = (ACCOUNT_ITSELF, *spender_ids)
            missing.update((account_id, spender_id) for spender_id in wanted if spender_id not in account.limits)
    return missing


def fetch_limits(
    accounts_: Mapping[str, Account], missing: Iterable[tuple[str, str]], *, unlocked: bool = False
) -> Work[None]:
    """Adds limits to accounts in memory; a spender without any is known to have none."""
    pairs = sorted(missing)
    call = READ_LIMITS(sorted({pair[0] for pair in pairs}), sorted({pair[1] for pair in pairs}))
    rows: Sequence[Sequence[Any]] = yield (UnlockedRead(call) if unlocked else call)
    for account_id, spender_id in pairs:
        accounts_[account_id].limits[spender_id] = []
    for account_id, *row in rows:
        limits = accounts_[account_id].limits
        if (account_id, row[0]) in missing:
            limits[row[0]].append(SpendLimit(*row))


def all_limits(account_id: str) -> Work[list[SpendLimit]]:
    """In order of their spenders and windows."""
    return [SpendLimit(*row) for row in (yield ALL_LIMITS(account_id))]


def limit_total(account_id: str) -> Work[int]:
    ((total,),) = yield COUNT_LIMITS(account_id)
    return int(total)


def limited_charges_of(account_id: str, charges_max: int) -> Work[dict[str, LimitedCharge] | None]:
    """Where the charges of an account counted, by transaction; None where there are more than `charges_max`."""
    rows = yield ALL_CHARGES(account_id, charges_max + 1)
    if len(rows) > charges_max:
        return None
    return {row[0]: LimitedCharge(row[0], orjson.loads(row[1]), row[2]) for row in rows}


def limited_charge(account_id: str, transaction_id: str) -> Work[LimitedCharge | None]:
    """Where a charge counted; None where it counted for the account alone, when it was made."""
    rows = yield READ_CHARGE(account_id, transaction_id)
    return LimitedCharge(transaction_id, orjson.loads(rows[0][0]), rows[0][1]) if rows else None


def set_limit(account: Account, limit: SpendLimit, amount_max: int | None, *, is_new: bool) -> Work[None]:
    """Sets or removes a limit of a locked account. What was counted at a removed one in this unit is not written."""
    key = (account.account_id, limit.spender_id, limit.window)
    if amount_max is None:
        account.changed_limits.pop((limit.spender_id, limit.window), None)
        expect((yield REMOVE_LIMIT(*key)), 1, "remove spend limit")
    elif is_new:
        row = (*key, amount_max, limit.used, limit.window_start_us, limit.set_time_us)
        expect((yield INSERT_LIMITS.many([row])), 1, "insert spend limit")
    else:
        expect((yield SET_LIMIT.many([(*key, amount_max)])), 1, "set spend limit")
    yield from count_change(account)


def set_low_balance(account: Account, low_balance: int) -> Work[None]:
    """Sets or removes the threshold of a locked account."""
    expect((yield SET_LOW_BALANCE(account.account_id, low_balance)), 1, "set low balance")
    account.low_balance = low_balance
    yield from count_change(account)


def count_change(account: Account) -> Work[None]:
    """Lets no process go by what it has cached of the account's limits and threshold."""
    expect((yield COUNT_CHANGE(account.account_id)), 1, "count a change of spend limits")
    account.limits_version += 1  # or what this unit decided on the account would count as outdated
