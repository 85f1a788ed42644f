"""Rows of the feed: business events get their positions here, after their commit, and are read by them.

Whoever gives positions locks the one row of `feed` first. So positions come into sight in their order: a reader who
sees one sees all before it, whatever transaction wrote the event and whenever that committed.
"""

from typing import NamedTuple

import orjson
from sqlalchemy import bindparam, case, delete, literal_column, select, update

from billing_service.domain.ledger.events import PlacedEvent
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import feed, outbox, webhook_deliveries
from billing_service.storage.statements import InList, Row, Work, bulk_update, reading, writing

_ONLY = feed.c.row_number == literal_column("1")
LOCK = reading("lock feed", select(feed.c.last_position).where(_ONLY).with_for_update())
MARKS = reading("read feed marks", select(feed.c.last_position, feed.c.forgotten_position).where(_ONLY))
_UNPLACED = outbox.c.position == literal_column("0")
ANY_UNPLACED = reading(
    "look for events without position", select(outbox.c.event_id).where(_UNPLACED).limit(literal_column("1"))
)
UNPLACED = reading(
    "find events without position",
    select(outbox.c.account_id, outbox.c.event_id)
    .where(_UNPLACED)
    .order_by(outbox.c.position, outbox.c.account_id, outbox.c.account_version, outbox.c.event_id)
    .limit(bindparam("page")),
    "page",
)
PLACE = bulk_update(outbox, ("account_id", "event_id"), ("position",), expected=("position",))
ADVANCE = writing(
    "advance feed",
    update(feed).where(_ONLY).values(last_position=bindparam("to", type_=feed.c.last_position.type)),
    "to",
)
PAGE = reading(
    "read feed page",
    select(*outbox.columns)
    .where(outbox.c.position > bindparam("after", type_=outbox.c.position.type))
    .order_by(outbox.c.position)
    .limit(bindparam("page")),
    "after",
    "page",
)

_OLD = outbox.c.create_time_us < bindparam("before_us", type_=outbox.c.create_time_us.type)
OLDEST = reading(
    "find old events",
    select(outbox.c.event_id, outbox.c.position)
    .where(_OLD, outbox.c.position > literal_column("0"))
    .order_by(outbox.c.create_time_us)
    .limit(bindparam("page")),
    "before_us",
    "page",
)
FORGET = writing(
    "forget old events", delete(outbox).where(InList(outbox.c.event_id, "list_ids"), _OLD), "list_ids", "before_us"
)
_UP_TO = bindparam("up_to", type_=feed.c.forgotten_position.type)
FORGOTTEN = writing(
    "note forgotten events",
    update(feed)
    .where(_ONLY)
    .values(forgotten_position=case((feed.c.forgotten_position < _UP_TO, _UP_TO), else_=feed.c.forgotten_position)),
    "up_to",
)

FORGET_DELIVERIES = writing(
    "forget deliveries of old events",
    delete(webhook_deliveries).where(
        webhook_deliveries.c.position <= bindparam("up_to", type_=webhook_deliveries.c.position.type)
    ),
    "up_to",
)


class Marks(NamedTuple):
    """How far the feed has come."""

    last_position: int
    forgotten_position: int
    """The newest whose event was forgotten."""


class Look(NamedTuple):
    """What the feed looks like, in one snapshot."""

    marks: Marks
    has_unplaced: bool


class FeedPage(NamedTuple):
    """Events after a position, in the order of their positions."""

    events: list[PlacedEvent]
    marks: Marks
    """As they were after the events were read, at the earliest."""


def look() -> Work[Look]:
    """How far the feed has come, and whether events wait for their positions."""
    marks = yield from read_marks()
    return Look(marks, bool((yield ANY_UNPLACED())))


def read_marks() -> Work[Marks]:
    return Marks(*(yield MARKS())[0])


def place(page: int) -> Work[int]:
    """Gives positions to the events that wait for them, at most `page`; answers to how many. An account's events get
    theirs in the order of its versions: whatever committed before is seen here, and has one or gets one now."""
    last = (yield LOCK())[0][0]
    found = yield UNPLACED(page)
    if not found:
        return 0
    rows = [(*key, 0, position) for position, key in enumerate(found, last + 1)]
    expect((yield PLACE.many(rows)), len(rows), "place events")
    expect((yield ADVANCE(last + len(rows))), 1, "advance feed")
    return len(rows)


def read_page(after: int, page: int) -> Work[FeedPage]:
    """At most `page` events after a position."""
    rows = yield PAGE(after, page)
    return FeedPage([placed(row) for row in rows], (yield from read_marks()))


def forget_before(before_us: int, page: int) -> Work[bool]:
    """Deletes the oldest events of the feed from before a time, at most `page`; answers whether there may be more."""
    found = yield OLDEST(before_us, page)
    if not found or (yield FORGET([row[0] for row in found], before_us)) == 0:  # another process was faster
        return False
    expect((yield FORGOTTEN(max(row[1] for row in found))), 1, "note forgotten events")
    assert (yield FORGET_DELIVERIES(max(row[1] for row in found))) >= 0, (
        "most events were delivered at once and have no row"
    )
    return len(found) == page


def placed(row: Row) -> PlacedEvent:
    account_id, event_id, version, kind, created_us, subject_id, detail, position = row
    return PlacedEvent(position, account_id, event_id, version, kind, created_us, subject_id, orjson.loads(detail))
