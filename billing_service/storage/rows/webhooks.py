"""Rows of deliveries: how far the endpoint has been served, and what was not delivered at once."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, func, literal_column, or_, select, update

from billing_service.domain.deliveries import NEVER_US, DeliveryState
from billing_service.domain.ledger.events import PlacedEvent
from billing_service.storage.rows.feed import PAGE, placed, read_marks
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import outbox, webhook_deliveries, webhook_endpoint
from billing_service.storage.statements import InList, Row, Work, bulk_insert, reading, writing

_TIME = webhook_deliveries.c.retry_time_us.type
_ONLY = webhook_endpoint.c.row_number == literal_column("1")
_WAITING = webhook_deliveries.c.state == literal_column(str(int(DeliveryState.WAITING)))
_NEVER: ColumnElement[int] = literal_column(str(NEVER_US))
_OF_EVENT = (
    webhook_deliveries.c.account_id == bindparam("account_id"),
    webhook_deliveries.c.event_id == bindparam("event_id"),
)
LEASE = writing(
    "lease webhook endpoint",
    update(webhook_endpoint)
    .where(
        _ONLY,
        or_(
            webhook_endpoint.c.lease_owner == bindparam("owner"),
            webhook_endpoint.c.lease_until_us <= bindparam("now_us", type_=_TIME),
        ),
    )
    .values(lease_owner=bindparam("owner"), lease_until_us=bindparam("until_us", type_=_TIME)),
    "owner",
    "now_us",
    "until_us",
)
FREE = writing(
    "free webhook endpoint",
    update(webhook_endpoint)
    .where(_ONLY, webhook_endpoint.c.lease_owner == bindparam("owner"))
    .values(lease_owner=literal_column("''"), lease_until_us=literal_column("0")),
    "owner",
)
ENDPOINT = reading(
    "read webhook endpoint",
    select(
        webhook_endpoint.c.position,
        webhook_endpoint.c.start_time_us,
        webhook_endpoint.c.failures,
        webhook_endpoint.c.retry_time_us,
    ).where(_ONLY),
)
SET_ENDPOINT = writing(
    "set webhook endpoint",
    update(webhook_endpoint)
    .where(_ONLY, webhook_endpoint.c.lease_owner == bindparam("owner"))
    .values(
        position=bindparam("position", type_=_TIME),
        start_time_us=bindparam("start_us", type_=_TIME),
        failures=bindparam("failures", type_=_TIME),
        retry_time_us=bindparam("retry_us", type_=_TIME),
    ),
    "owner",
    "position",
    "start_us",
    "failures",
    "retry_us",
)
BLOCKED = reading(
    "find accounts whose events wait",
    select(webhook_deliveries.c.account_id)
    .where(InList(webhook_deliveries.c.account_id, "list_accounts"), _WAITING)
    .distinct(),
    "list_accounts",
)
DUE = reading(
    "find due deliveries",
    select(*outbox.columns, webhook_deliveries.c.attempt_count, webhook_deliveries.c.first_time_us)
    .select_from(
        webhook_deliveries.join(
            outbox,
            (outbox.c.account_id == webhook_deliveries.c.account_id)
            & (outbox.c.event_id == webhook_deliveries.c.event_id),
        )
    )
    .where(_WAITING, webhook_deliveries.c.retry_time_us <= bindparam("by_us", type_=_TIME))
    .order_by(webhook_deliveries.c.retry_time_us, webhook_deliveries.c.position)
    .limit(bindparam("page")),
    "by_us",
    "page",
)
INSERT = bulk_insert(webhook_deliveries)
SET_DELIVERY = writing(
    "set delivery",
    update(webhook_deliveries)
    .where(*_OF_EVENT)
    .values(
        state=bindparam("new_state", type_=_TIME),
        attempt_count=bindparam("attempts", type_=_TIME),
        first_time_us=bindparam("first_us", type_=_TIME),
        retry_time_us=bindparam("retry_us", type_=_TIME),
        error=bindparam("error"),
    ),
    "account_id",
    "event_id",
    "new_state",
    "attempts",
    "first_us",
    "retry_us",
    "error",
)
DONE = writing("delete delivery", delete(webhook_deliveries).where(*_OF_EVENT), "account_id", "event_id")
_AHEAD = webhook_deliveries.alias("ahead")
NEXT = writing(
    "let the next of an account be delivered",
    update(webhook_deliveries)
    .where(
        webhook_deliveries.c.account_id == bindparam("account_id"),
        _WAITING,
        webhook_deliveries.c.position
        == select(func.min(_AHEAD.c.position))
        .where(
            _AHEAD.c.account_id == bindparam("account_id"),
            _AHEAD.c.state == literal_column(str(int(DeliveryState.WAITING))),
        )
        .scalar_subquery(),
    )
    .values(retry_time_us=bindparam("now_us", type_=_TIME)),
    "account_id",
    "now_us",
)
HURRY = writing(
    "try waiting deliveries at once",
    update(webhook_deliveries)
    .where(
        _WAITING,
        webhook_deliveries.c.retry_time_us > bindparam("now_us", type_=_TIME),
        webhook_deliveries.c.retry_time_us < _NEVER,
    )
    .values(retry_time_us=bindparam("now_us", type_=_TIME)),
    "now_us",
)

COUNT = reading(
    "count deliveries of a state",
    select(webhook_deliveries.c.event_id)
    .where(webhook_deliveries.c.state == bindparam("wanted", type_=_TIME))
    .limit(bindparam("page")),
    "wanted",
    "page",
)
OLDEST_WAITING = reading(
    "find oldest waiting delivery",
    select(webhook_deliveries.c.position)
    .where(_WAITING)
    .order_by(webhook_deliveries.c.position)
    .limit(literal_column("1")),
)
CREATED = reading(
    "read time of an event at or after a position",
    select(outbox.c.create_time_us)
    .where(outbox.c.position >= bindparam("position", type_=outbox.c.position.type))
    .order_by(outbox.c.position)
    .limit(literal_column("1")),
    "position",
)
COUNTED_MAX = 1_000


class Figures(NamedTuple):
    """What was not delivered yet, at most COUNTED_MAX of each."""

    waiting: int
    dead: int
    oldest_time_us: int | None
    """When the oldest event happened that waits; None: nothing does."""


class Endpoint(NamedTuple):
    """How far deliveries have come."""

    position: int
    start_time_us: int
    failures: int
    retry_time_us: int


class Due(NamedTuple):
    """An event to be tried again."""

    event: PlacedEvent
    attempt_count: int
    first_time_us: int


class Fate(NamedTuple):
    """What became of an event's delivery, where it was not delivered."""

    event: PlacedEvent
    state: DeliveryState
    attempt_count: int
    first_time_us: int
    retry_time_us: int
    error: str

    @property
    def row(self) -> Row:
        event = self.event
        return (event.account_id, event.event_id, event.position, int(self.state), *self[2:])


class LeaseLostError(Exception):
    """Another process delivers now. What was decided here is forgotten; it will deliver it again."""


def lease(owner: str, now_us: int, until_us: int) -> Work[Endpoint | None]:
    """Takes or keeps the endpoint for a while; None while another process has it."""
    if (yield LEASE(owner, now_us, until_us)) == 0:
        return None
    return Endpoint(*(yield ENDPOINT())[0])


def free(owner: str) -> Work[bool]:
    """Lets another process deliver at once; answers whether the endpoint was this owner's."""
    return bool((yield FREE(owner)) == 1)


def begin(owner: str, now_us: int) -> Work[None]:
    """The first delivery is of what happens from now on."""
    marks = yield from read_marks()
    yield from _set(owner, Endpoint(marks.last_position, now_us, 0, 0))


def read_due(by_us: int, page: int) -> Work[list[Due]]:
    """Events that are to be tried again by a time, the first due first."""
    rows = yield DUE(by_us, page)
    return [Due(placed(row[:-2]), *row[-2:]) for row in rows]


def read_new(after: int, page: int) -> Work[tuple[list[PlacedEvent], frozenset[str]]]:
    """The next events after a position, and the accounts among theirs whose earlier events wait."""
    events = [placed(row) for row in (yield PAGE(after, page))]
    named = sorted({event.account_id for event in events})
    blocked = frozenset(row[0] for row in (yield BLOCKED(named))) if named else frozenset()
    return events, blocked


class Again(NamedTuple):
    """What became of events that were tried again."""

    delivered: Sequence[PlacedEvent]
    failed: Sequence[Fate]
    hurry: bool
    """The endpoint is back: all that waits is tried at once."""


def keep(owner: str, endpoint: Endpoint, again: Again, new: Sequence[Fate], now_us: int) -> Work[None]:
    """Notes what became of a portion: of events that were tried again, and of new ones that were not delivered. Who
    waited behind a delivered or dead one is due now. Raises LeaseLostError."""
    yield from _set(owner, endpoint)
    if new:
        expect((yield INSERT.many([fate.row for fate in new])), len(new), "note deliveries")
    for event in again.delivered:
        expect((yield DONE(event.account_id, event.event_id)), 1, "delete delivery")
    for fate in again.failed:
        event = fate.event
        expect((yield SET_DELIVERY(event.account_id, event.event_id, int(fate.state), *fate[2:])), 1, "set delivery")
    dead = [fate.event for fate in again.failed if fate.state is DeliveryState.DEAD]
    for account_id in sorted({event.account_id for event in (*again.delivered, *dead)}):
        assert (yield NEXT(account_id, now_us)) <= 1, "positions are unique"
    if again.hurry:
        assert (yield HURRY(now_us)) >= 0, "there may be none"


def _set(owner: str, endpoint: Endpoint) -> Work[None]:
    if (yield SET_ENDPOINT(owner, *endpoint)) != 1:
        raise LeaseLostError


def read_figures() -> Work[Figures]:
    """What was not delivered yet."""
    position, started, *_ = (yield ENDPOINT())[0]
    waiting, dead = (
        len((yield COUNT(int(DeliveryState.WAITING), COUNTED_MAX))),
        len((yield COUNT(int(DeliveryState.DEAD), COUNTED_MAX))),
    )
    oldest = yield OLDEST_WAITING()
    since = yield CREATED(oldest[0][0] if oldest else position + 1)
    return Figures(waiting, dead, since[0][0] if since and started else None)
