"""From what an event names to the purchase, its accounts locked."""

from billing_service.commands.environment import Environment
from billing_service.commands.reversals import purchase_accounts
from billing_service.commands.unit import Unit, begin
from billing_service.domain.records import Purchase
from billing_service.storage.purchase_rows import find_purchase, read_purchase
from billing_service.storage.statements import Work


def purchase_of_ours(environment: Environment, reference: str) -> Work[tuple[Unit, Purchase] | None]:
    """The purchase that a reference names, read under its accounts' locks; None when there is none."""
    found = yield from find_purchase(reference)
    if found is None:
        return None
    unit = yield from begin(environment, (yield from purchase_accounts(found[0])))
    purchase = yield from read_purchase(*found)
    assert purchase is not None, "a reference names a purchase that is there"
    return unit, purchase


def other_purchase(reference: str | None, purchase: Purchase) -> Work[bool]:
    """Whether a reference is bound to another purchase already."""
    if not reference:
        return False
    found = yield from find_purchase(reference)
    return found not in (None, (purchase.account_id, purchase.purchase_id))
