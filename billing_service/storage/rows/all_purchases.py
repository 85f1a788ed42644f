"""Purchases of all accounts, by the time of their making."""

from sqlalchemy import bindparam, select, tuple_

from billing_service.domain.sales.purchases import Purchase
from billing_service.storage.rows.purchases import PURCHASES
from billing_service.storage.rows.refunds import sum_pending
from billing_service.storage.schema import purchases
from billing_service.storage.statements import Work, reading

LIST = reading(
    "list purchases of all accounts",
    select(purchases)
    .where(
        tuple_(purchases.c.create_time_us, purchases.c.purchase_id)
        < tuple_(
            bindparam("before_us", type_=purchases.c.create_time_us.type),
            bindparam("before", type_=purchases.c.purchase_id.type),
        ),
        purchases.c.create_time_us >= bindparam("start_us", type_=purchases.c.create_time_us.type),
    )
    .order_by(purchases.c.create_time_us.desc(), purchases.c.purchase_id.desc())
    .limit(bindparam("page")),
    "before_us",
    "before",
    "start_us",
    "page",
)


def purchases_before(before_us: int, before: str, start_us: int, page: int) -> Work[list[Purchase]]:
    """Purchases made since `start_us` and before the one of this time and id, the newest first."""
    return [PURCHASES.record(row) for row in (yield LIST(before_us, before, start_us, page))]


def pending_of(found: list[Purchase]) -> Work[dict[str, int]]:
    """Money that pending refunds promise back, by purchase; those without any are left out."""
    refunded: dict[str, list[Purchase]] = {}
    for purchase in found:
        if purchase.refunded_minor:
            refunded.setdefault(purchase.account_id, []).append(purchase)
    pending: dict[str, int] = {}
    for account_id, of_account in sorted(refunded.items()):
        pending |= yield from sum_pending(account_id, of_account)
    return pending
