"""Rows of refunds as they are listed and looked up. Both ids of a refund name its purchase among the references, and so
find it."""

from sqlalchemy import bindparam, func, literal_column, select

from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.refunds import Refund
from billing_service.storage.rows.purchases import REFUNDS, claim_reference, find_purchase, read_purchase, refunds_of
from billing_service.storage.schema import refunds
from billing_service.storage.statements import InList, Work, reading

LIST_REFUNDS = reading(
    "list refunds",
    select(refunds)
    .where(refunds.c.account_id == bindparam("account_id"), refunds.c.refund_id < bindparam("before"))
    .order_by(refunds.c.refund_id.desc())
    .limit(bindparam("page")),
    "account_id",
    "before",
    "page",
)
LIST_REFUNDS_OF_PURCHASE = reading(
    "list refunds of purchase",
    select(refunds)
    .where(
        refunds.c.account_id == bindparam("account_id"),
        refunds.c.purchase_id == bindparam("purchase_id"),
        refunds.c.refund_id < bindparam("before"),
    )
    .order_by(refunds.c.refund_id.desc())
    .limit(bindparam("page")),
    "account_id",
    "purchase_id",
    "before",
    "page",
)
SUM_PENDING = reading(
    "sum pending refunds",
    select(refunds.c.purchase_id, func.sum(refunds.c.amount_minor))
    .where(
        refunds.c.account_id == bindparam("account_id"),
        InList(refunds.c.purchase_id, "list_purchases"),
        refunds.c.status == literal_column("'PENDING'"),
    )
    .group_by(refunds.c.purchase_id),
    "account_id",
    "list_purchases",
)

UNSENT_REFUNDS = reading(
    "list unsent refunds",
    select(refunds.c.refund_id)
    .where(
        refunds.c.status == literal_column("'PENDING'"),
        refunds.c.stripe_refund_id == literal_column("''"),
        refunds.c.create_time_us < bindparam("before_us"),
    )
    .order_by(refunds.c.create_time_us)
    .limit(bindparam("page")),
    "before_us",
    "page",
)


def claim_refund_ids(refund: Refund) -> Work[None]:
    """Lets both ids find the refund, as far as they are known. Repeated with each update: an older program that runs
    beside this one claims none."""
    for reference in (refund.refund_id, refund.stripe_refund_id):
        if reference:
            yield from claim_reference(reference, refund.account_id, refund.purchase_id)


def unsent_refunds(before_us: int, page: int) -> Work[list[str]]:
    """Ids of refunds that began before a time and of which Stripe has said nothing, the oldest first."""
    rows = yield UNSENT_REFUNDS(before_us, page)
    return [row[0] for row in rows]


def find_refund(refund_id: str) -> Work[Refund | None]:
    """The refund of an id of ours (`ref_`) or of Stripe's (`re_`)."""
    found = yield from find_purchase(refund_id)
    purchase = (yield from read_purchase(*found)) if found else None
    if purchase is None:
        return None
    refunds_found = yield from refunds_of(purchase)
    return next((refund for refund in refunds_found if refund_id in (refund.refund_id, refund.stripe_refund_id)), None)


def list_refunds(account_id: str, purchase_id: str, before: str, page: int) -> Work[list[Refund]]:
    """An account's refunds, newest first, of one purchase or of all when empty."""
    if purchase_id:
        rows = yield LIST_REFUNDS_OF_PURCHASE(account_id, purchase_id, before, page)
    else:
        rows = yield LIST_REFUNDS(account_id, before, page)
    return [REFUNDS.record(row) for row in rows]


def sum_pending(account_id: str, purchases: list[Purchase]) -> Work[dict[str, int]]:
    """Money that pending refunds promise back, by purchase; those without any are left out."""
    if not any(purchase.refunded_minor for purchase in purchases):
        return {}
    rows = yield SUM_PENDING(account_id, [purchase.purchase_id for purchase in purchases])
    return {row[0]: int(row[1]) for row in rows}
