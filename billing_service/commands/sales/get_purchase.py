"""GetPurchase and ListPurchases."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.domain.refusals import account_not_found
from billing_service.domain.refusals.sales import purchase_not_found
from billing_service.domain.sales.disputes import Dispute
from billing_service.domain.sales.purchases import Purchase
from billing_service.storage.rows.disputes import disputes_of
from billing_service.storage.rows.profiles import read_profile
from billing_service.storage.rows.purchases import find_purchase, list_purchases, read_purchase
from billing_service.storage.rows.refunds import sum_pending
from billing_service.storage.statements import Work

NEWEST = "~"
"""Sorts after every purchase id and every refund id."""
REFUND_PREFIXES = ("ref_", "re_")
"""Ids of refunds are references of their purchases too. As a purchase's id they are refused: to ask to refund a refund
is a mistake."""


class SoldPurchase(NamedTuple):
    """A purchase, and the part of its refunded money that Stripe has not settled."""

    purchase: Purchase
    refund_pending_minor: int


class ShownPurchase(NamedTuple):
    """A purchase with its disputes."""

    sold: SoldPurchase
    disputes: Sequence[Dispute]


async def purchase_by_id(environment: Environment, reference: str) -> Purchase:
    """The purchase of an id of ours or of Stripe's (`pur_`, `cs_`, `pi_`). Raises PURCHASE_NOT_FOUND."""
    return await environment.store.read(lambda: _find(reference))


async def shown_purchase(environment: Environment, reference: str) -> ShownPurchase:
    """As `purchase_by_id`. Raises PURCHASE_NOT_FOUND."""

    def work() -> Work[ShownPurchase]:
        purchase = yield from _find(reference)
        pending = yield from sum_pending(purchase.account_id, [purchase])
        disputes = yield from disputes_of(purchase)
        return ShownPurchase(SoldPurchase(purchase, pending.get(purchase.purchase_id, 0)), disputes)

    return await environment.store.read(work)


def _find(reference: str) -> Work[Purchase]:
    if reference.startswith(REFUND_PREFIXES):
        raise purchase_not_found(reference)
    found = yield from find_purchase(reference)
    purchase = (yield from read_purchase(*found)) if found else None
    if purchase is None:
        raise purchase_not_found(reference)
    return purchase


async def purchases_of(
    environment: Environment, account_id: str, before: str, page: int
) -> tuple[list[SoldPurchase], str]:
    """A page of an account's purchases, newest first, and the id that the next page goes on from; empty at the end.
    Raises ACCOUNT_NOT_FOUND."""

    def work() -> Work[list[SoldPurchase]]:
        if (yield from read_profile(account_id)) is None:
            raise account_not_found(account_id)
        listed = yield from list_purchases(account_id, before or NEWEST, page + 1)
        pending = yield from sum_pending(account_id, listed)
        return [SoldPurchase(purchase, pending.get(purchase.purchase_id, 0)) for purchase in listed]

    found = await environment.store.read(work)
    return found[:page], found[page - 1].purchase.purchase_id if len(found) > page else ""
