"""GetRefund and ListRefunds."""

from billing_service.commands.environment import Environment
from billing_service.commands.sales.get_purchase import NEWEST
from billing_service.domain.refusals import account_not_found
from billing_service.domain.refusals.sales import purchase_not_found, refund_not_found
from billing_service.domain.sales.refunds import Refund
from billing_service.storage.rows.profiles import read_profile
from billing_service.storage.rows.purchases import read_purchase
from billing_service.storage.rows.refunds import find_refund, list_refunds
from billing_service.storage.statements import Work


async def refund_by_id(environment: Environment, refund_id: str) -> Refund:
    """The refund of an id of ours (`ref_`) or of Stripe's (`re_`). Raises REFUND_NOT_FOUND."""
    refund = await environment.store.read(lambda: find_refund(refund_id))
    if refund is None:
        raise refund_not_found(refund_id)
    return refund


async def account_refunds(
    environment: Environment, account_id: str, purchase_id: str, before: str, page: int
) -> tuple[list[Refund], str]:
    """A page of an account's refunds, newest first, of one purchase or of all when empty, and the id that the next page
    goes on from; empty at the end. Raises ACCOUNT_NOT_FOUND, PURCHASE_NOT_FOUND."""

    def work() -> Work[list[Refund]]:
        if (yield from read_profile(account_id)) is None:
            raise account_not_found(account_id)
        if purchase_id and (yield from read_purchase(account_id, purchase_id)) is None:
            raise purchase_not_found(purchase_id)
        return (yield from list_refunds(account_id, purchase_id, before or NEWEST, page + 1))

    found = await environment.store.read(work)
    return found[:page], found[page - 1].refund_id if len(found) > page else ""
