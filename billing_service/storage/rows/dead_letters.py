"""Rows of deliveries as operators see them, and what they have tried once more."""

from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, or_, select, update

from billing_service.domain.deliveries import DeliveryState
from billing_service.domain.ledger.events import PlacedEvent
from billing_service.storage.rows.feed import placed
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import outbox, webhook_deliveries
from billing_service.storage.statements import Work, reading, writing

_TIME = webhook_deliveries.c.retry_time_us.type
LIST = reading(
    "list deliveries",
    select(
        *outbox.columns, *(webhook_deliveries.c[name] for name in ("state", "attempt_count", "retry_time_us", "error"))
    )
    .select_from(
        webhook_deliveries.join(
            outbox,
            (outbox.c.account_id == webhook_deliveries.c.account_id)
            & (outbox.c.event_id == webhook_deliveries.c.event_id),
        )
    )
    .where(
        webhook_deliveries.c.position > bindparam("after", type_=_TIME),
        or_(
            bindparam("wanted", type_=_TIME) == literal_column("0"),
            webhook_deliveries.c.state == bindparam("wanted", type_=_TIME),
        ),
    )
    .order_by(webhook_deliveries.c.position)
    .limit(bindparam("page")),
    "after",
    "wanted",
    "page",
)
REVIVE = writing(
    "try dead letters again",
    update(webhook_deliveries)
    .where(
        webhook_deliveries.c.state == literal_column(str(int(DeliveryState.DEAD))),
        or_(
            bindparam("account_id") == literal_column("''"),
            webhook_deliveries.c.account_id == bindparam("account_id"),
        ),
    )
    .values(state=literal_column(str(int(DeliveryState.WAITING))), retry_time_us=bindparam("now_us", type_=_TIME)),
    "account_id",
    "now_us",
)
DEAD = reading(
    "find dead letters",
    select(webhook_deliveries.c.event_id).where(
        webhook_deliveries.c.state == literal_column(str(int(DeliveryState.DEAD))),
        or_(
            bindparam("account_id") == literal_column("''"),
            webhook_deliveries.c.account_id == bindparam("account_id"),
        ),
    ),
    "account_id",
)


class Listed(NamedTuple):
    """A delivery as operators see it."""

    event: PlacedEvent
    state: int
    attempt_count: int
    retry_time_us: int
    error: str


def list_deliveries(after: int, state: int, page: int) -> Work[list[Listed]]:
    """Deliveries after a position, in the order of positions; state 0 is every state."""
    return [Listed(placed(row[:-4]), *row[-4:]) for row in (yield LIST(after, state, page))]


def revive(account_id: str, now_us: int) -> Work[int]:
    """Has dead letters tried once more, of an account or, where that is empty, of all; answers how many."""
    revived = len((yield DEAD(account_id)))
    expect((yield REVIVE(account_id, now_us)), revived, "try dead letters again")
    return revived
