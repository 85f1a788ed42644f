"""Rows of holds, and what is read of them with an account. Closed ones stay, and are found by their id alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import bindparam, func, literal_column, select

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.holds import Hold, HoldState, Leg
from billing_service.domain.ledger.lots import Category
from billing_service.storage.rows.ledger_statements import LOT
from billing_service.storage.rows.session_charges import close_sessions
from billing_service.storage.schema import accounts, holds, lots
from billing_service.storage.statements import Call, InList, Row, Work, bulk_insert, bulk_update, reading

_AFTER_ALL = "hold_~"
"""Comes after every id of a hold."""
ENDED_HOLDS_MAX = 200
"""Ended holds that one unit of work books: each is a few rows. Whoever comes next books the next ones."""

_HOLD = tuple(column for column in holds.columns if column is not holds.c.account_id)
_OPEN = holds.c.state == literal_column(str(int(HoldState.OPEN)))
_NAMED_ACCOUNTS = InList(accounts.c.account_id, "list_ids")

_NEXT_END = (
    select(func.min(holds.c.expire_time_us))
    .where(holds.c.account_id == accounts.c.account_id, _OPEN, holds.c.expire_time_us > bindparam("now_us"))
    .correlate(accounts)
    .scalar_subquery()
)
_ENDED = (
    select(holds)
    .where(InList(holds.c.account_id, "list_ids"), _OPEN, holds.c.expire_time_us <= bindparam("now_us"))
    .order_by(holds.c.expire_time_us)
    .limit(bindparam("page"))
    .subquery("ended")
)
READ_ENDED_HOLDS = reading(
    "read ended holds",
    select(
        accounts.c.account_id,
        accounts.c.version,
        _NEXT_END.label("next_end_us"),
        *[_ENDED.c[column.name] for column in _HOLD],
    )
    .select_from(accounts.outerjoin(_ENDED, _ENDED.c.account_id == accounts.c.account_id))
    .where(_NAMED_ACCOUNTS),
    "list_ids",
    "now_us",
    "page",
)
READ_HOLDS = reading(
    "read holds",
    select(accounts.c.account_id, accounts.c.version, *_HOLD)
    .select_from(accounts.join(holds, holds.c.account_id == accounts.c.account_id))
    .where(_NAMED_ACCOUNTS, InList(holds.c.hold_id, "list_holds")),
    "list_ids",
    "list_holds",
)
READ_DRAWN_LOTS = reading(
    "read drawn lots",
    select(accounts.c.account_id, accounts.c.version, *LOT)
    .select_from(accounts.join(lots, lots.c.account_id == accounts.c.account_id))
    .where(_NAMED_ACCOUNTS, InList(lots.c.lot_id, "list_lots")),
    "list_ids",
    "list_lots",
)
_OLDER = (holds.c.account_id == bindparam("account_id"), holds.c.hold_id < bindparam("before"))
LIST_HOLDS = reading(
    "list holds",
    select(*_HOLD).where(*_OLDER).order_by(holds.c.hold_id.desc()).limit(bindparam("page")),
    "account_id",
    "before",
    "page",
)
LIST_OPEN_HOLDS = reading(
    "list open holds",
    select(*_HOLD)
    .where(*_OLDER, _OPEN, holds.c.expire_time_us > bindparam("now_us"))
    .order_by(holds.c.hold_id.desc())
    .limit(bindparam("page")),
    "account_id",
    "before",
    "now_us",
    "page",
)
READ_RATE_CARD_VERSION = reading(
    "read rate card version of hold",
    select(holds.c.rate_card_version).where(
        holds.c.account_id == bindparam("account_id"), holds.c.hold_id == bindparam("hold_id")
    ),
    "account_id",
    "hold_id",
)
INSERT_HOLDS = bulk_insert(holds)
UPDATE_HOLDS = bulk_update(
    holds,
    ("account_id", "hold_id"),
    ("state", "amount", "captured", "released", "late_captured", "expire_time_us", "legs"),
)


def hold_of(row: Sequence[Any]) -> Hold:
    """From all columns of `holds` but the account."""
    hold_id, state, amount, captured, released, expiry_capture, late_captured, created, expires = row[:9]
    caller, description, metadata, legs, rate_card_version, spender_ids = row[9:]
    return Hold(
        hold_id,
        HoldState(state),
        amount,
        captured,
        released,
        expiry_capture,
        bool(late_captured),
        create_time_us=created,
        expire_time_us=expires,
        caller=caller,
        description=description,
        metadata=metadata,
        legs=[Leg(lot_id, Category(category), *amounts) for lot_id, category, *amounts in orjson.loads(legs)],
        rate_card_version=rate_card_version,
        spender_ids=spenders_of(spender_ids),
    )


def spenders_of(text: str) -> tuple[str, ...]:
    """From the column of a hold."""
    return tuple(orjson.loads(text)) if text else ()


def rate_card_version_of(account_id: str, hold_id: str) -> Work[str]:
    """The card that a hold is priced by; empty for none, and for no such hold."""
    rows = yield READ_RATE_CARD_VERSION(account_id, hold_id)
    return rows[0][0] if rows else ""


def list_holds(account_id: str, before: str, page: int, *, open_after_us: int | None) -> Work[list[Hold]]:
    """An account's holds, newest first, of those before `before`, or all when empty. With `open_after_us`, those that
    are open and end after it."""
    last = before or _AFTER_ALL
    if open_after_us is None:
        rows = yield LIST_HOLDS(account_id, last, page)
    else:
        rows = yield LIST_OPEN_HOLDS(account_id, last, open_after_us, page)
    return [hold_of(row) for row in rows]


def hold_calls(written: Sequence[Account]) -> Iterator[Call]:
    """The writes of what was decided on these accounts' holds."""
    inserted = [_inserted(account.account_id, hold) for account in written for hold in account.new_holds.values()]
    if inserted:
        yield INSERT_HOLDS.many(inserted)
    changed = [_changed(account.account_id, hold) for account in written for hold in account.changed_holds.values()]
    if changed:
        yield UPDATE_HOLDS.many(changed)
    ended = [
        (account.account_id, hold)
        for account in written
        for hold in account.changed_holds.values()
        if hold.session_end is not None and not hold.is_open
    ]
    if ended:
        yield close_sessions(ended)


def _inserted(account_id: str, hold: Hold) -> Row:
    return (
        account_id,
        hold.hold_id,
        int(hold.state),
        hold.amount,
        hold.captured,
        hold.released,
        hold.expiry_capture,
        int(hold.late_captured),
        hold.create_time_us,
        hold.expire_time_us,
        hold.caller,
        hold.description,
        hold.metadata,
        _packed(hold.legs),
        hold.rate_card_version,
        orjson.dumps(hold.spender_ids).decode() if hold.spender_ids else "",
    )


def _changed(account_id: str, hold: Hold) -> Row:
    return (
        account_id,
        hold.hold_id,
        int(hold.state),
        hold.amount,
        hold.captured,
        hold.released,
        int(hold.late_captured),
        hold.expire_time_us,
        _packed(hold.legs),
    )


def _packed(legs: Sequence[Leg]) -> str:
    return orjson.dumps(
        [(leg.lot_id, int(leg.category), leg.amount, leg.captured, leg.returned) for leg in legs]
    ).decode()
