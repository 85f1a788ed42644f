"""What the ledger's rows are read and written with."""

from typing import Any

from sqlalchemy import Select, and_, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.ledger.chain import GENESIS
from billing_service.storage.schema import accounts, entries, lots, taken_back_lots, transactions
from billing_service.storage.statements import InList, bulk_insert, bulk_lock, bulk_update, reading, writing

_ACCOUNT = (
    accounts.c.account_id,
    accounts.c.version,
    accounts.c.last_transaction_id,
    accounts.c.last_hash,
    accounts.c.balance,
    accounts.c.debt,
    accounts.c.set_aside,
    accounts.c.overdraft_limit,
    accounts.c.frozen,
    accounts.c.debt_max,
    accounts.c.caught_up_version,
    accounts.c.held,
    accounts.c.holds_open,
    accounts.c.holds_end_us,
    accounts.c.last_time_us,
    accounts.c.limits_version,
    accounts.c.low_balance,
)
ACCOUNT_COLUMNS = len(_ACCOUNT)
LOT = (
    lots.c.lot_id,
    lots.c.category,
    lots.c.priority,
    lots.c.amount,
    lots.c.remaining,
    lots.c.create_time_us,
    lots.c.effective_time_us,
    lots.c.expire_time_us,
    lots.c.source_id,
    lots.c.expired,
    lots.c.ended_to,
    lots.c.held,
)
_OPEN = lots.c.is_open == literal_column("1")


def _accounts_named() -> Select[Any]:
    return select(*_ACCOUNT).where(InList(accounts.c.account_id, "list_ids")).order_by(accounts.c.account_id)


LOCK_ACCOUNTS = reading("lock accounts", _accounts_named().with_for_update(), "list_ids")
READ_OPEN_LOTS = reading(
    "read open lots", select(lots.c.account_id, *LOT).where(InList(lots.c.account_id, "list_ids"), _OPEN), "list_ids"
)
READ_LOTS = reading(
    "read lots",
    select(*LOT).where(lots.c.account_id == bindparam("account_id"), InList(lots.c.lot_id, "list_lots")),
    "account_id",
    "list_lots",
)
READ_ACCOUNTS_AND_LOTS = reading(
    "read accounts and open lots",
    select(*_ACCOUNT, *LOT)
    .select_from(accounts.outerjoin(lots, and_(lots.c.account_id == accounts.c.account_id, _OPEN)))
    .where(InList(accounts.c.account_id, "list_ids")),
    "list_ids",
)
INSERT_ACCOUNT = writing(
    "insert account",
    insert(accounts)
    .values(
        account_id=bindparam("account_id"),
        version=literal_column("0"),
        last_transaction_id=literal_column("''"),
        last_hash=bindparam("last_hash", GENESIS),
        balance=literal_column("0"),
        debt=literal_column("0"),
        set_aside=literal_column("0"),
        overdraft_limit=literal_column("0"),
        frozen=literal_column("0"),
        create_time_us=bindparam("create_time_us"),
    )
    .on_conflict_do_nothing(),
    "account_id",
    "create_time_us",
)
_EXPECTED = ("version", "last_transaction_id", "frozen", "overdraft_limit", "debt_max", "limits_version")
"""The columns that show whether anything of an account has changed. Each movement makes a version and names its
transaction; limits and freezing do not."""
_MOVED = (
    *("version", "last_transaction_id", "last_hash", "balance", "debt", "set_aside", "caught_up_version"),
    *("held", "holds_open", "last_time_us"),
)
UPDATE_ACCOUNTS = bulk_update(accounts, ("account_id",), _MOVED, expected=_EXPECTED)
UPDATE_ACCOUNTS_AND_HOLDS_END = bulk_update(accounts, ("account_id",), (*_MOVED, "holds_end_us"), expected=_EXPECTED)
"""For accounts whose next end of a hold may be another one: apart, because naming `holds_end_us` makes the store
rewrite its index."""
LOCK_UNCHANGED_ACCOUNTS = bulk_lock(accounts, "account_id", _EXPECTED)
UPDATE_LOTS = bulk_update(lots, ("account_id", "lot_id"), ("remaining", "held"))
UPDATE_LOTS_AND_OPEN_FLAG = bulk_update(lots, ("account_id", "lot_id"), ("remaining", "is_open", "held"))
"""For lots that open or empty: apart, because naming `is_open` makes the store rewrite the index on open lots."""
REWRITE_LOTS = bulk_update(
    lots, ("account_id", "lot_id"), ("remaining", "is_open", "expire_time_us", "expired", "ended_to", "held")
)
"""For lots that expire or end."""
INSERT_LOTS = bulk_insert(lots)
INSERT_TAKEN_BACK_LOTS = bulk_insert(taken_back_lots)
INSERT_TRANSACTIONS = bulk_insert(transactions)
INSERT_ENTRIES = bulk_insert(entries)
SET_LIMITS = writing(
    "set account limits",
    update(accounts)
    .where(accounts.c.account_id == bindparam("which"))
    .values(frozen=bindparam("frozen"), overdraft_limit=bindparam("overdraft_limit"), debt_max=bindparam("debt_max")),
    "which",
    "frozen",
    "overdraft_limit",
    "debt_max",
)
