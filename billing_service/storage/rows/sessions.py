"""Rows of sessions: opened, taken over, ticked by the thousand, and closed with their hold."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, select, update

from billing_service.domain.ledger.holds import HoldState
from billing_service.domain.spending.sessions import Owner, Tick
from billing_service.storage.rows.holds import spenders_of
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import holds, sessions
from billing_service.storage.statements import InList, Row, Work, bulk_insert, bulk_update, reading, writing


class StoredSession(NamedTuple):
    """A session's row, and what of its hold belongs to it. Amounts in microcredits."""

    token_hash: bytes
    epoch: int
    closed: bool
    sequence: int
    charged: int
    usage: str
    estimate: str
    rate_card_version: str
    slice: int
    grace_us: int
    usage_key: str
    end_transaction_id: str
    price_record: bytes
    held: int
    captured: int
    state: HoldState
    open_time_us: int
    expire_time_us: int
    caller: str
    late_captured: bool
    spender_ids: tuple[str, ...]


_HELD = (
    holds.c.amount,
    holds.c.captured,
    holds.c.state,
    holds.c.create_time_us,
    holds.c.expire_time_us,
    holds.c.caller,
    holds.c.late_captured,
    holds.c.spender_ids,
)
INSERT = bulk_insert(sessions)
READ = reading(
    "read session",
    select(*[column for column in sessions.columns if column.name not in ("account_id", "session_id")], *_HELD)
    .select_from(
        holds.join(sessions, (holds.c.account_id == sessions.c.account_id) & (holds.c.hold_id == sessions.c.session_id))
    )
    .where(holds.c.account_id == bindparam("which_account"), holds.c.hold_id == bindparam("which_session")),
    "which_account",
    "which_session",
)
READ_OWNERS = reading(
    "read owners of sessions",
    select(
        sessions.c.account_id, sessions.c.session_id, sessions.c.epoch, sessions.c.closed, sessions.c.sequence
    ).where(InList(sessions.c.account_id, "list_ids"), InList(sessions.c.session_id, "list_sessions")),
    "list_ids",
    "list_sessions",
)
TICK = bulk_update(
    sessions,
    ("account_id", "session_id"),
    ("sequence", "charged", "usage", "price_record"),
    expected=("epoch", "closed"),
)
TAKE_OVER = writing(
    "take session over",
    update(sessions)
    .where(
        sessions.c.account_id == bindparam("which_account"),
        sessions.c.session_id == bindparam("which_session"),
        sessions.c.epoch == bindparam("former_epoch"),
    )
    .values(epoch=bindparam("new_epoch"), token_hash=bindparam("new_hash")),
    "which_account",
    "which_session",
    "former_epoch",
    "new_epoch",
    "new_hash",
)


def read_session(account_id: str, session_id: str) -> Work[StoredSession | None]:
    """A session with its hold, as of one moment."""
    for row in (yield READ(account_id, session_id)):
        found = StoredSession._make(row)
        return found._replace(
            closed=bool(found.closed),
            late_captured=bool(found.late_captured),
            price_record=bytes(found.price_record or b""),
            state=HoldState(found.state),
            spender_ids=spenders_of(row[-1]),
        )
    return None


def insert_session(row: Row) -> Work[None]:
    """A row in the table's column order."""
    expect((yield INSERT.many([row])), 1, "insert session")


def take_over(account_id: str, session_id: str, epoch: int, token_hash: bytes) -> Work[bool]:
    """Makes whoever knows the token the owner; false where somebody else became it since `epoch` was read."""
    return bool((yield TAKE_OVER(account_id, session_id, epoch, epoch + 1, token_hash)) == 1)


def write_ticks(ticks: Sequence[Tick]) -> Work[list[Owner | None]]:
    """Writes the ticks of owners, at most one a session, and leaves the others alone; answers whose each session was.
    One statement, however many they are, and another where one was refused."""
    written = [
        (t.account_id, t.session_id, t.epoch, 0, t.sequence, t.charged, t.usage, t.price_record or None) for t in ticks
    ]
    if (yield TICK.many(written)) == len(ticks):
        return [Owner(tick.epoch, closed=False, sequence=tick.sequence) for tick in ticks]
    rows = yield READ_OWNERS(sorted({tick.account_id for tick in ticks}), sorted(tick.session_id for tick in ticks))
    owners = {(row[0], row[1]): Owner(row[2], bool(row[3]), row[4]) for row in rows}
    return [owners.get((tick.account_id, tick.session_id)) for tick in ticks]
