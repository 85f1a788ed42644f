"""Rows as verification reads them. Histories are followed along their chains, so that no store has to search a whole
table for one account. What no chain reaches is counted, or searched for in ranges."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select

from billing_service.domain.ledger.entries import Transaction
from billing_service.domain.ledger.holds import Hold
from billing_service.domain.ledger.spend_limits import LimitedCharge, SpendLimit
from billing_service.domain.sales.clawbacks import Taken
from billing_service.storage.rows.history import attach_entries, transaction_of, walk_back
from billing_service.storage.rows.holds import hold_of
from billing_service.storage.rows.spend_limits import all_limits, limited_charges_of
from billing_service.storage.schema import (
    accounts,
    corrections,
    deduction_reversals,
    entries,
    holds,
    lots,
    outbox,
    purchases,
    sessions,
    transactions,
)
from billing_service.storage.statements import Statement, Work, reading, searching

_STORED = (
    accounts.c.account_id,
    accounts.c.version,
    accounts.c.last_transaction_id,
    accounts.c.last_hash,
    accounts.c.balance,
    accounts.c.debt,
    accounts.c.set_aside,
    accounts.c.caught_up_version,
    accounts.c.held,
    accounts.c.holds_open,
    accounts.c.holds_end_us,
    accounts.c.limits_version,
)
NEXT_ACCOUNTS = reading(
    "next accounts",
    select(*_STORED)
    .where(accounts.c.account_id > bindparam("after"))
    .order_by(accounts.c.account_id)
    .limit(bindparam("page")),
    "after",
    "page",
)
NEXT_HEADS = reading(
    "next heads",
    select(accounts.c.account_id, accounts.c.version, accounts.c.last_hash)
    .where(accounts.c.account_id > bindparam("after"))
    .order_by(accounts.c.account_id)
    .limit(bindparam("page")),
    "after",
    "page",
)
ONE_ACCOUNT = reading(
    "one account", select(*_STORED).where(accounts.c.account_id == bindparam("account_id")), "account_id"
)
LOTS = reading(
    "read all lots",
    select(
        lots.c.lot_id,
        lots.c.remaining,
        lots.c.expired,
        lots.c.ended_to,
        lots.c.source_id,
        lots.c.category,
        lots.c.expire_time_us,
        lots.c.held,
    ).where(lots.c.account_id == bindparam("account_id")),
    "account_id",
)
HOLDS = reading(
    "read all holds",
    select(
        *[column for column in holds.columns if column is not holds.c.account_id],
    ).where(holds.c.account_id == bindparam("account_id")),
    "account_id",
)
SESSIONS = reading(
    "read all sessions",
    select(
        sessions.c.session_id, sessions.c.closed, sessions.c.sequence, sessions.c.charged, sessions.c.price_record
    ).where(sessions.c.account_id == bindparam("account_id")),
    "account_id",
)
REVERSED_DEDUCTIONS = reading(
    "read reversed deductions",
    select(deduction_reversals.c.transaction_id, deduction_reversals.c.reversed).where(
        deduction_reversals.c.account_id == bindparam("account_id")
    ),
    "account_id",
)
CORRECTED_DEDUCTIONS = reading(
    "read corrected deductions",
    select(corrections.c.transaction_id, corrections.c.rate_card_version, corrections.c.moved).where(
        corrections.c.account_id == bindparam("account_id")
    ),
    "account_id",
)
REVERSED_PURCHASES = reading(
    "read reversed purchases",
    select(
        purchases.c.purchase_id, purchases.c.reversed, purchases.c.reversed_expired, purchases.c.reversed_debt
    ).where(
        purchases.c.account_id == bindparam("account_id"),
        purchases.c.reversed + purchases.c.reversed_expired + purchases.c.reversed_debt > literal_column("0"),
    ),
    "account_id",
)
_LINKS = walk_back()
LINKS = reading(
    "read links",
    select(_LINKS).limit(bindparam("page")),
    "account_id",
    "newest",
    "reach_us",
    "page",
)
LIMITED_CHARGES_MAX = 50_000
"""Of one account. Of an account with more, what its spenders used is not compared: no read is long."""
_LIMITS_VERSION = len(_STORED) - 1
UNREACHED_MAX = 100
"""Rows named of each kind."""
_VERSION = func.coalesce(accounts.c.version, literal_column("0"))
_COUNTED = select(transactions.c.account_id, func.count().label("found")).group_by(transactions.c.account_id).subquery()
COUNTS = searching(
    "count transactions",
    select(
        select(func.count()).select_from(transactions).scalar_subquery(),
        select(func.coalesce(func.sum(accounts.c.version), literal_column("0"))).scalar_subquery(),
    ),
)
TOTAL = searching(
    "count transactions that chains reach", select(func.coalesce(func.sum(accounts.c.version), literal_column("0")))
)
MISCOUNTED = searching(
    "find accounts with other transactions than their chain's",
    select(_COUNTED.c.account_id, _VERSION, _COUNTED.c.found)
    .select_from(_COUNTED.outerjoin(accounts, accounts.c.account_id == _COUNTED.c.account_id))
    .where(_COUNTED.c.found != _VERSION)
    .limit(literal_column(str(UNREACHED_MAX))),
)


def _range_end(name: str, key: ColumnElement[str]) -> Statement:
    """The key `many` rows after the one given; none where fewer follow."""
    following = select(key).where(key > bindparam("after")).order_by(key)
    return reading(name, following.offset(bindparam("many")).limit(literal_column("1")), "after", "many")


ENTRIES_END = _range_end("find where a range of entries ends", transactions.c.transaction_id)
LOTS_END = _range_end("find where a range of lots ends", lots.c.account_id)
LOOSE_ENTRIES = searching(
    "find entries without transaction",
    select(entries.c.account_id, entries.c.transaction_id)
    .select_from(
        entries.outerjoin(
            transactions,
            (transactions.c.transaction_id == entries.c.transaction_id)
            & (transactions.c.account_id == entries.c.account_id),
        )
    )
    .where(
        entries.c.transaction_id > bindparam("after"),
        entries.c.transaction_id <= bindparam("until"),
        transactions.c.transaction_id.is_(None),
    )
    .limit(literal_column(str(UNREACHED_MAX))),
    "after",
    "until",
)
LOOSE_LOTS = searching(
    "find lots without account",
    select(lots.c.account_id, lots.c.lot_id)
    .select_from(lots.outerjoin(accounts, accounts.c.account_id == lots.c.account_id))
    .where(
        lots.c.account_id > bindparam("after"), lots.c.account_id <= bindparam("until"), accounts.c.account_id.is_(None)
    )
    .limit(literal_column(str(UNREACHED_MAX))),
    "after",
    "until",
)
EVENTS_END = _range_end("find where a range of events ends", outbox.c.account_id)
LOOSE_EVENTS = searching(
    "find events ahead of their account",
    select(outbox.c.account_id, outbox.c.event_id, outbox.c.account_version, _VERSION)
    .select_from(outbox.outerjoin(accounts, accounts.c.account_id == outbox.c.account_id))
    .where(
        outbox.c.account_id > bindparam("after"),
        outbox.c.account_id <= bindparam("until"),
        outbox.c.account_version > _VERSION,
    )
    .limit(literal_column(str(UNREACHED_MAX))),
    "after",
    "until",
)


class StoredLot(NamedTuple):
    """What is stored of a lot, as far as its account's history proves it."""

    remaining: int
    expired: int
    ended_to: str
    source_id: str
    category: int
    expire_time_us: int | None
    held: int


class StoredCharge(NamedTuple):
    """What is stored of what a session acknowledged."""

    closed: bool
    sequence: int
    charged: int
    price_record: bytes


class StoredAccount(NamedTuple):
    """What is stored of an account apart from its history, in one snapshot."""

    account_id: str
    version: int
    last_id: str
    last_hash: bytes
    balance: int
    debt: int
    set_aside: int
    caught_up_version: int
    held: int
    holds_open: int
    holds_end_us: int | None
    limits_version: int
    lots: dict[str, StoredLot]
    reversed_deductions: dict[str, int]
    reversed_purchases: dict[str, Taken]
    holds: dict[str, Hold]
    sessions: dict[str, StoredCharge]
    corrections: dict[tuple[str, str], int]
    """What was moved, by deduction and version of the rate card."""
    limits: list[SpendLimit]
    limited_charges: dict[str, LimitedCharge] | None
    """By transaction; None: too many to compare what spenders used."""


def stored_account(row: Sequence[Any]) -> Work[StoredAccount]:
    """What belongs to an account, whose own row this is."""
    account_id = row[0]
    found = {lot_id: StoredLot(*rest) for lot_id, *rest in (yield LOTS(account_id))}
    given_back = dict((yield REVERSED_DEDUCTIONS(account_id)))
    taken_back = {
        purchase_id: Taken(taken - expired - owed, expired, owed)
        for purchase_id, taken, expired, owed in (yield REVERSED_PURCHASES(account_id))
    }
    held = {hold.hold_id: hold for hold in map(hold_of, (yield HOLDS(account_id)))}
    metered = {
        session_id: StoredCharge(bool(closed), sequence, charged, bytes(record or b""))
        for session_id, closed, sequence, charged, record in (yield SESSIONS(account_id))
    }
    corrected = {(row[0], row[1]): row[2] for row in (yield CORRECTED_DEDUCTIONS(account_id))}
    limits: list[SpendLimit] = []
    charges: dict[str, LimitedCharge] | None = {}
    if row[_LIMITS_VERSION]:
        limits = yield from all_limits(account_id)
        charges = yield from limited_charges_of(account_id, LIMITED_CHARGES_MAX)
    return StoredAccount(*(*row, found, given_back, taken_back, held, metered, corrected, limits, charges))


def next_accounts(after: str, page: int) -> Work[list[Sequence[Any]]]:
    return list((yield NEXT_ACCOUNTS(after, page)))


def next_heads(after: str, page: int) -> Work[list[tuple[str, int, bytes]]]:
    return [(row[0], row[1], bytes(row[2])) for row in (yield NEXT_HEADS(after, page))]


def one_account(account_id: str) -> Work[list[Sequence[Any]]]:
    return list((yield ONE_ACCOUNT(account_id)))


def transaction_total() -> Work[int]:
    """Transactions that the accounts' chains reach, by their versions."""
    ((total,),) = yield TOTAL()
    return int(total)


def links(account_id: str, newest: str, page: int) -> Work[list[Transaction]]:
    """Transactions with their entries, from `newest` back along the chain, at most `page`."""
    rows = yield LINKS(account_id, newest, -(2**62), page)
    found = [transaction_of(row) for row in rows]
    yield from attach_entries(account_id, found)
    return found
