"""From the purchase that an event is about to its row, its accounts locked."""

from billing_service.commands.environment import Environment
from billing_service.commands.reversals import purchase_accounts
from billing_service.commands.unit import Unit, begin
from billing_service.domain.records import Purchase
from billing_service.storage.purchase_rows import await_reference, find_purchase, read_purchase
from billing_service.storage.statements import Work
from billing_service.stripe_events.ownership import PurchaseKey
from billing_service.stripe_events.verdict import Verdict, ignored, waiting


def locked_purchase(environment: Environment, key: PurchaseKey) -> Work[tuple[Unit, Purchase]]:
    """A purchase of ours, read under the locks of its accounts."""
    unit = yield from begin(environment, (yield from purchase_accounts(key[0])))
    purchase = yield from read_purchase(*key)
    assert purchase is not None, "a reference names a purchase that is there"
    return unit, purchase


def purchase_of_payment(environment: Environment, payment_intent_id: str) -> Work[tuple[Unit, Purchase] | Verdict]:
    """The purchase that a payment paid. Else the verdict: the event waits until a purchase knows the payment."""
    key = yield from await_reference(payment_intent_id)
    if key is None:
        return waiting(payment_intent_id)
    found = yield from locked_purchase(environment, key)
    if found[1].payment_intent_id != payment_intent_id:
        return ignored("the purchase was paid by another payment")
    return found


def other_purchase(reference: str | None, purchase: Purchase) -> Work[bool]:
    """Whether a reference is bound to another purchase already."""
    if not reference:
        return False
    found = yield from find_purchase(reference)
    return found not in (None, (purchase.account_id, purchase.purchase_id))
