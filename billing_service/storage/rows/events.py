"""Rows of the inbox of Stripe's events."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, case, literal_column, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from billing_service.domain.inbox import EventStatus, InboxEvent
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import stripe_events as events
from billing_service.storage.statements import Work, reading, writing

_COLUMNS = tuple(events.columns)
CLAIM = writing(
    "claim event",
    insert(events)
    .values(
        event_id=bindparam("event_id"),
        event_type=bindparam("event_type"),
        subject=literal_column("''"),
        status=literal_column("'FAILED'"),
        payload=bindparam("payload"),
        receive_time_us=bindparam("receive_time_us"),
        process_time_us=bindparam("receive_time_us"),
        attempt_count=literal_column("0"),
        error=literal_column("''"),
    )
    .on_conflict_do_nothing(),
    "event_id",
    "event_type",
    "payload",
    "receive_time_us",
)
KEEP = writing(
    "keep event",
    insert(events)
    .values(
        event_id=bindparam("event_id"),
        event_type=bindparam("event_type"),
        subject=literal_column("''"),
        status=bindparam("status"),
        payload=bindparam("payload"),
        receive_time_us=bindparam("receive_time_us"),
        process_time_us=bindparam("receive_time_us"),
        attempt_count=literal_column("1"),
        error=bindparam("error"),
    )
    .on_conflict_do_nothing(),
    "event_id",
    "event_type",
    "status",
    "payload",
    "receive_time_us",
    "error",
)
LOCK = reading(
    "lock event", select(*_COLUMNS).where(events.c.event_id == bindparam("event_id")).with_for_update(), "event_id"
)
READ = reading("read event", select(*_COLUMNS).where(events.c.event_id == bindparam("event_id")), "event_id")
CLOSE = writing(
    "close event",
    update(events)
    .where(events.c.event_id == bindparam("which"))
    .values(
        status=bindparam("status"),
        subject=bindparam("subject"),
        process_time_us=bindparam("process_time_us"),
        attempt_count=events.c.attempt_count + 1,
        error=bindparam("error"),
    ),
    "which",
    "status",
    "subject",
    "process_time_us",
    "error",
)
WAITING = reading(
    "read waiting events",
    select(*_COLUMNS)
    .where(events.c.subject == bindparam("subject"), events.c.subject != literal_column("''"))
    .order_by(events.c.event_id),
    "subject",
)
_PAGE = (
    select(
        *(c for c in _COLUMNS if c.name != "payload"),
        case(
            (bindparam("with_payload", type_=events.c.attempt_count.type) == literal_column("1"), events.c.payload),
            else_=None,
        ).label("payload"),
    )
    .where(
        tuple_(events.c.receive_time_us, events.c.event_id)
        < tuple_(
            bindparam("before_us", type_=events.c.receive_time_us.type),
            bindparam("before_id", type_=events.c.event_id.type),
        ),
    )
    .order_by(events.c.receive_time_us.desc(), events.c.event_id.desc())
    .limit(bindparam("page"))
)
LIST = reading("list events", _PAGE, "with_payload", "before_us", "before_id", "page")
LIST_OF_STATUS = reading(
    "list events of a status",
    _PAGE.where(events.c.status == bindparam("status")),
    "with_payload",
    "before_us",
    "before_id",
    "page",
    "status",
)


def event_of(row: Sequence[Any]) -> InboxEvent:
    event_id, event_type, subject, status, payload, received, processed, attempts, error = row
    return InboxEvent(
        event_id, event_type, subject, EventStatus(status), bytes(payload), received, processed, attempts, error
    )


def claim_event(event_id: str, event_type: str, payload: bytes, now_us: int) -> Work[InboxEvent]:
    """Puts an event into the inbox, or locks the one that is there. A second delivery waits here until the first has
    ended."""
    if (yield CLAIM(event_id, event_type, payload, now_us)) == 1:
        return InboxEvent(event_id, event_type, "", EventStatus.FAILED, payload, now_us, now_us, 0, "")
    rows = yield LOCK(event_id)
    return event_of(rows[0])


def keep_event(
    event_id: str, event_type: str, payload: bytes, now_us: int, *, status: EventStatus, error: str
) -> Work[bool]:
    """Puts an event that has no effect into the inbox, in one statement. False when it is there already."""
    written: int = yield KEEP(event_id, event_type, str(status), payload, now_us, error)
    return written == 1


def read_event(event_id: str) -> Work[InboxEvent | None]:
    rows = yield READ(event_id)
    return event_of(rows[0]) if rows else None


def close_event(event_id: str, status: EventStatus, now_us: int, *, subject: str = "", error: str = "") -> Work[None]:
    """Writes what became of a try."""
    expect((yield CLOSE(event_id, str(status), subject, now_us, error)), 1, "close event")


def waiting_events(payment_intent_id: str) -> Work[list[InboxEvent]]:
    """Events that came before their purchase knew its PaymentIntent."""
    if not payment_intent_id:
        return []
    rows = yield WAITING(payment_intent_id)
    return [event_of(row) for row in rows]


def list_events(status: str, before: tuple[int, str], page: int, *, with_payload: bool) -> Work[list[InboxEvent]]:
    """A page of the inbox, or of what has one status, newest first; without payloads their bytes are empty."""
    asked = (1 if with_payload else 0, *before, page)
    rows = yield LIST_OF_STATUS(*asked, status) if status else LIST(*asked)
    return [event_of((*row[:4], row[8] or b"", *row[4:8])) for row in rows]
