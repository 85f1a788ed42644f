"""ListAllPurchases: those of all accounts, the newest first."""

from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.commands.sales.get_purchase import SoldPurchase
from billing_service.domain.sales.purchases import PurchaseStatus
from billing_service.storage.rows.all_purchases import pending_of, purchases_before
from billing_service.storage.statements import Work

LOOKED_AT_MAX = 2_000
"""Purchases read for one page: filters that match little end a page early instead of holding a reader for long."""


class PurchaseFilters(NamedTuple):
    """Which purchases are listed; times in microseconds, start included, end not."""

    statuses: frozenset[PurchaseStatus]
    """Empty: every one."""
    package_code: str
    """Empty: every one, custom amounts included."""
    start_us: int
    end_us: int


class Place(NamedTuple):
    """The purchase that a page ended with."""

    create_time_us: int
    purchase_id: str


async def all_purchases(
    environment: Environment, filters: PurchaseFilters, after: Place | None, page: int
) -> tuple[list[SoldPurchase], Place | None]:
    """A page, which may have fewer purchases than asked for, and where the next one goes on from; None at the end."""

    def work() -> Work[tuple[list[SoldPurchase], Place | None]]:
        place = after or Place(filters.end_us, "")
        looked_at = yield from purchases_before(*place, filters.start_us, LOOKED_AT_MAX)
        found = []
        for purchase in looked_at:
            place = Place(purchase.create_time_us, purchase.purchase_id)
            if _matches(purchase.status, purchase.package_code, filters):
                found.append(purchase)
                if len(found) == page:
                    break
        is_last = len(looked_at) < LOOKED_AT_MAX and (not looked_at or place.purchase_id == looked_at[-1].purchase_id)
        pending = yield from pending_of(found)
        return [SoldPurchase(each, pending.get(each.purchase_id, 0)) for each in found], None if is_last else place

    return await environment.store.read(work)


def _matches(status: PurchaseStatus, package_code: str, filters: PurchaseFilters) -> bool:
    return (not filters.statuses or status in filters.statuses) and filters.package_code in ("", package_code)
