"""What the ledger has of objects that Stripe lists: many at once, without a lock."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, bindparam, literal_column, or_, select, update

from billing_service.domain.accounts.profiles import Profile
from billing_service.domain.sales.disputes import Dispute
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.refunds import Refund
from billing_service.storage.rows.disputes import DISPUTES
from billing_service.storage.rows.profiles import PROFILES
from billing_service.storage.rows.purchases import PURCHASES, REFUNDS
from billing_service.storage.schema import (
    disputes,
    profiles,
    purchases,
    reconciliation,
    refunds,
    stripe_customers,
    stripe_events,
)
from billing_service.storage.schema import purchase_references as references
from billing_service.storage.schema.sales import UNDECIDED
from billing_service.storage.statements import InList, Work, reading, writing

_NAMED = InList(references.c.reference, "list_references")
_OPEN = purchases.c.status.in_([literal_column("'PENDING'"), literal_column("'AWAITING_FUNDS'")])

PURCHASES_NAMED = reading(
    "read purchases by references",
    select(references.c.reference, purchases)
    .join(
        purchases,
        and_(purchases.c.account_id == references.c.account_id, purchases.c.purchase_id == references.c.purchase_id),
    )
    .where(_NAMED),
    "list_references",
)
REFUNDS_NAMED = reading(
    "read refunds by references",
    select(refunds)
    .join(
        references,
        and_(
            refunds.c.account_id == references.c.account_id,
            refunds.c.purchase_id == references.c.purchase_id,
            refunds.c.stripe_refund_id == references.c.reference,
        ),
    )
    .where(_NAMED),
    "list_references",
)
DISPUTES_NAMED = reading(
    "read disputes by references",
    select(disputes)
    .join(
        references,
        and_(disputes.c.account_id == references.c.account_id, disputes.c.purchase_id == references.c.purchase_id),
    )
    .where(_NAMED),
    "list_references",
)
PROFILES_NAMED = reading(
    "read profiles by customers",
    select(stripe_customers.c.stripe_customer_id, profiles)
    .join(profiles, profiles.c.account_id == stripe_customers.c.account_id)
    .where(InList(stripe_customers.c.stripe_customer_id, "list_customers")),
    "list_customers",
)
KNOWN_EVENTS = reading(
    "read statuses of events",
    select(stripe_events.c.event_id, stripe_events.c.status).where(InList(stripe_events.c.event_id, "list_events")),
    "list_events",
)
OPEN_PURCHASES = reading(
    "list open purchases",
    select(purchases)
    .where(_OPEN, purchases.c.purchase_id > bindparam("after"), purchases.c.create_time_us < bindparam("before_us"))
    .order_by(purchases.c.purchase_id)
    .limit(bindparam("page")),
    "after",
    "before_us",
    "page",
)
PENDING_REFUNDS = reading(
    "list pending refunds",
    select(refunds)
    .where(
        refunds.c.status == literal_column("'PENDING'"),
        refunds.c.refund_id > bindparam("after"),
        refunds.c.create_time_us < bindparam("before_us"),
    )
    .order_by(refunds.c.refund_id)
    .limit(bindparam("page")),
    "after",
    "before_us",
    "page",
)
OPEN_DISPUTES = reading(
    "list open disputes",
    select(disputes)
    .where(
        UNDECIDED,
        disputes.c.dispute_id > bindparam("after"),
        disputes.c.create_time_us < bindparam("before_us"),
    )
    .order_by(disputes.c.dispute_id)
    .limit(bindparam("page")),
    "after",
    "before_us",
    "page",
)
_ONLY = reconciliation.c.row_number == literal_column("1")
_TIME = reconciliation.c.since_us.type
LEASE = writing(
    "lease reconciliation",
    update(reconciliation)
    .where(
        _ONLY,
        or_(
            reconciliation.c.lease_owner == bindparam("owner"),
            reconciliation.c.lease_until_us <= bindparam("now_us", type_=_TIME),
        ),
    )
    .values(lease_owner=bindparam("owner"), lease_until_us=bindparam("until_us", type_=_TIME)),
    "owner",
    "now_us",
    "until_us",
)
READ_RUN = reading(
    "read reconciliation",
    select(reconciliation.c.since_us, reconciliation.c.until_us, reconciliation.c.cursor).where(_ONLY),
)
KEEP_RUN = writing(
    "keep reconciliation",
    update(reconciliation)
    .where(_ONLY, reconciliation.c.lease_owner == bindparam("which"))
    .values(
        since_us=bindparam("since_us", type_=_TIME),
        until_us=bindparam("until_us", type_=_TIME),
        cursor=bindparam("cursor"),
        lease_until_us=bindparam("lease_us", type_=_TIME),
    ),
    "which",
    "since_us",
    "until_us",
    "cursor",
    "lease_us",
)


class StoredRun(NamedTuple):
    """The run under way; where `cursor` is empty, the last whole one."""

    since_us: int
    until_us: int
    """0: there was none."""
    cursor: str


class Known(NamedTuple):
    """What the ledger has of one page of objects."""

    purchases: dict[str, Purchase]
    """By every reference that was asked for."""
    refunds: dict[str, Refund]
    """By Stripe's id."""
    disputes: dict[str, Dispute]
    profiles: dict[str, Profile]
    """By Stripe's customer."""


def read_known(
    named: Sequence[str], refund_ids: Sequence[str], disputed: Sequence[str], customers: Sequence[str]
) -> Work[Known]:
    """`named`: ids at Stripe that name purchases. `refund_ids`: Stripe's. `disputed`: payments."""
    by_reference: dict[str, Purchase] = {}
    if named:
        for row in (yield PURCHASES_NAMED(list(named))):
            by_reference[row[0]] = PURCHASES.record(row[1:])
    found = [REFUNDS.record(row) for row in (yield REFUNDS_NAMED(list(refund_ids)))] if refund_ids else []
    told = [DISPUTES.record(row) for row in (yield DISPUTES_NAMED(list(disputed)))] if disputed else []
    linked = (yield PROFILES_NAMED(list(customers))) if customers else []
    return Known(
        by_reference,
        {refund.stripe_refund_id: refund for refund in found},
        {dispute.dispute_id: dispute for dispute in told},
        {row[0]: PROFILES.record(row[1:]) for row in linked},
    )


def event_statuses(event_ids: Sequence[str]) -> Work[dict[str, str]]:
    """Of those that are in the inbox."""
    rows = yield KNOWN_EVENTS(list(event_ids))
    return {row[0]: row[1] for row in rows}


def open_purchases(after: str, before_us: int, page: int) -> Work[list[Purchase]]:
    """Purchases that wait for a customer or for money, in order of their ids."""
    rows = yield OPEN_PURCHASES(after, before_us, page)
    return [PURCHASES.record(row) for row in rows]


def pending_refunds(after: str, before_us: int, page: int) -> Work[list[Refund]]:
    """Refunds of which Stripe has not said how they end, in order of their ids."""
    rows = yield PENDING_REFUNDS(after, before_us, page)
    return [REFUNDS.record(row) for row in rows]


def open_disputes(after: str, before_us: int, page: int) -> Work[list[Dispute]]:
    """Disputes that are not decided, in order of their ids."""
    rows = yield OPEN_DISPUTES(after, before_us, page)
    return [DISPUTES.record(row) for row in rows]


def lease_run(owner: str, now_us: int, until_us: int) -> Work[StoredRun | None]:
    """Makes the run this process's; None while it is another's."""
    if (yield LEASE(owner, now_us, until_us)) == 0:
        return None
    rows = yield READ_RUN()
    return StoredRun(*rows[0])


def keep_run(owner: str, run: StoredRun, lease_us: int) -> Work[bool]:
    """False where another process has it by now: nothing is kept."""
    return bool((yield KEEP_RUN(owner, *run, lease_us)) == 1)
