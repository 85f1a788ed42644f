"""From the purchase that an object is about to its row, its accounts locked; and an effect on it, described for the
log."""

from collections.abc import Callable
from dataclasses import replace

from billing_service.commands.clawbacks.purchases import purchase_accounts
from billing_service.commands.environment import Environment
from billing_service.domain.sales.purchases import Purchase, PurchaseSnapshot
from billing_service.ledger.unit import Unit, begin
from billing_service.storage.rows.purchases import await_reference, claim_reference, find_purchase, read_purchase
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError
from billing_service.stripe_events.changes import booked_in, changes_of_purchase
from billing_service.stripe_events.ownership import PurchaseKey
from billing_service.stripe_events.result import Result, ignored, waiting

Effect = Callable[[Unit, Purchase], Work[Result]]
"""Changes a locked purchase and its accounts. Whoever calls it writes the accounts."""


def on_purchase(environment: Environment, key: PurchaseKey, effect: Effect) -> Work[Result]:
    """An effect on a purchase of ours."""
    unit, purchase = yield from _locked_purchase(environment, key)
    return (yield from _have(effect, unit, purchase))


def on_purchase_of(environment: Environment, payment_intent_id: str | None, effect: Effect) -> Work[Result]:
    """An effect on the purchase that a payment paid. The event waits until a purchase knows the payment."""
    if payment_intent_id is None:
        return ignored("it belongs to no payment intent")
    key = yield from await_reference(payment_intent_id)
    if key is None:
        return waiting(payment_intent_id)
    unit, purchase = yield from _locked_purchase(environment, key)
    if purchase.payment_intent_id != payment_intent_id:
        return ignored("the purchase was paid by another payment")
    return (yield from _have(effect, unit, purchase))


def _have(effect: Effect, unit: Unit, purchase: Purchase) -> Work[Result]:
    before = replace(purchase)
    result = yield from effect(unit, purchase)
    booked = booked_in(unit)
    yield from unit.write()
    return result.about({**changes_of_purchase(before, purchase), "booked": booked})


def _locked_purchase(environment: Environment, key: PurchaseKey) -> Work[tuple[Unit, Purchase]]:
    """A purchase of ours, read under the locks of its accounts."""
    unit = yield from begin(environment.sources, (yield from purchase_accounts(key[0])))
    purchase = yield from read_purchase(*key)
    assert purchase is not None, "a reference names a purchase that is there"
    return unit, purchase


def other_purchase(reference: str | None, purchase: Purchase) -> Work[bool]:
    """Whether a reference is bound to another purchase already."""
    if not reference:
        return False
    found = yield from find_purchase(reference)
    return found not in (None, (purchase.account_id, purchase.purchase_id))


def bind_reference(reference: str, purchase: Purchase) -> Work[None]:
    """Binds a session or a payment that was found to be nobody else's. Runs the unit again when it became another
    purchase's meanwhile."""
    if not (yield from claim_reference(reference, purchase.account_id, purchase.purchase_id)):
        raise ConflictError("another purchase was bound to it meanwhile")


def snapshot_of(purchase: Purchase) -> PurchaseSnapshot:
    return PurchaseSnapshot(
        purchase.purchase_id,
        purchase.account_id,
        purchase.amount_minor,
        purchase.currency,
        purchase.checkout_session_id or None,
    )
