"""Finds lots that have expired and still have something left, and accounts whose holds have ended, by the indexes on
their ends."""

from sqlalchemy import bindparam, func, literal_column, select, update

from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import accounts, lots
from billing_service.storage.statements import Work, reading, writing

_EXPIRED_LOTS = (
    select(lots.c.account_id)
    .where(
        lots.c.is_open == literal_column("1"),
        lots.c.expire_time_us.is_not(None),
        lots.c.expire_time_us <= bindparam("now_us"),
    )
    .order_by(lots.c.expire_time_us)
    .limit(bindparam("page"))
    .subquery()
)
# In two steps: asked for the accounts at once, SQLite looks through all open lots, which are in the order of accounts.
EXPIRED = reading("find expired lots", select(_EXPIRED_LOTS.c.account_id).distinct(), "now_us", "page")


def expired_accounts(now_us: int, page: int) -> Work[list[str]]:
    """Accounts with something to expire, at most `page`; none only if there are none."""
    rows = yield EXPIRED(now_us, page)
    return [row[0] for row in rows]


HOLDS_ENDED = reading(
    "find accounts with ended holds",
    select(accounts.c.account_id)
    .where(accounts.c.holds_end_us.is_not(None), accounts.c.holds_end_us <= bindparam("now_us"))
    .order_by(accounts.c.holds_end_us)
    .limit(bindparam("page")),
    "now_us",
    "page",
)
SET_HOLDS_END = writing(
    "set end of holds",
    update(accounts).where(accounts.c.account_id == bindparam("which")).values(holds_end_us=bindparam("holds_end_us")),
    "which",
    "holds_end_us",
)


HELD = reading(
    "sum open holds",
    select(
        func.coalesce(func.sum(accounts.c.holds_open), literal_column("0")),
        func.coalesce(func.sum(accounts.c.held), literal_column("0")),
    ).where(accounts.c.holds_end_us > literal_column("0")),
)


def held_in_all() -> Work[tuple[int, int]]:
    """How many holds are open, and what they reserve, in microcredits."""
    ((opened, held),) = yield HELD()
    return int(opened), int(held)


def accounts_with_ended_holds(now_us: int, page: int) -> Work[list[str]]:
    """Accounts whose earliest end of a hold is over, at most `page`. The hold itself may have been closed before."""
    rows = yield HOLDS_ENDED(now_us, page)
    return [row[0] for row in rows]


def set_holds_end(account_id: str, end_us: int | None) -> Work[None]:
    """Notes when the next hold of a locked account ends, where nothing else of it is written."""
    expect((yield SET_HOLDS_END(account_id, end_us)), 1, "set end of holds")
