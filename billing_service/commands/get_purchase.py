"""GetPurchase and ListPurchases."""

from billing_service.commands.environment import Environment
from billing_service.domain.records import Purchase
from billing_service.domain.refusals import Reason, Refusal
from billing_service.ledger.posting import account_not_found
from billing_service.storage.profile_rows import read_profile
from billing_service.storage.purchase_rows import find_purchase, list_purchases, read_purchase
from billing_service.storage.statements import Work

NEWEST = "~"
"""Sorts after every purchase id."""


async def purchase_by_id(environment: Environment, reference: str) -> Purchase:
    """The purchase of an id of ours or of Stripe's (`pur_`, `cs_`, `pi_`). Raises PURCHASE_NOT_FOUND."""
    return await environment.store.read(lambda: _find(reference))


def _find(reference: str) -> Work[Purchase]:
    found = yield from find_purchase(reference)
    purchase = (yield from read_purchase(*found)) if found else None
    if purchase is None:
        raise purchase_not_found(reference)
    return purchase


def purchase_not_found(reference: str) -> Refusal:
    return Refusal(Reason.PURCHASE_NOT_FOUND, "there is no such purchase", metadata={"id": reference})


async def purchases_of(environment: Environment, account_id: str, before: str, page: int) -> tuple[list[Purchase], str]:
    """A page of an account's purchases, newest first, and the id that the next page goes on from; empty at the end.
    Raises ACCOUNT_NOT_FOUND."""

    def work() -> Work[list[Purchase]]:
        if (yield from read_profile(account_id)) is None:
            raise account_not_found(account_id)
        return (yield from list_purchases(account_id, before or NEWEST, page + 1))

    found = await environment.store.read(work)
    return found[:page], found[page - 1].purchase_id if len(found) > page else ""
