"""checkout.session.*: where purchases are completed, promised, failed and expired."""

from functools import partial

from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.commands.sales.completion import apply_update
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus, check_payment, paid_for_credits_minor
from billing_service.ledger.unit import Unit
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import MONEY_UPDATES, CheckoutFact
from billing_service.stripe_events.lookup import on_purchase, other_purchase
from billing_service.stripe_events.ownership import PurchaseKey
from billing_service.stripe_events.payments import bind_reference, link_payment, snapshot_of
from billing_service.stripe_events.result import PROCESSED, PickedUp, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs


def handle_checkout(environment: Environment, key: PurchaseKey, fact: CheckoutFact, runs: Runs) -> Work[Result]:
    """Completes a purchase when the session is paid and is the one that was sold. Only a session with money in it is bound, and with
    it its payment: whatever came before, it is the authority."""
    if fact.note:
        return quarantined(fact.note)
    return (yield from on_purchase(environment, key, partial(_hear, environment, fact=fact, runs=runs)))


def _hear(environment: Environment, unit: Unit, purchase: Purchase, fact: CheckoutFact, runs: Runs) -> Work[Result]:
    objection = yield from _objection(environment, purchase, fact)
    if objection is not None:
        return objection
    assert fact.update is not None
    before = purchase.status
    picked_up: tuple[PickedUp, ...] = ()
    yield from bind_reference(fact.session_id, purchase)
    if fact.update in MONEY_UPDATES:
        purchase.checkout_session_id = fact.session_id
        picked_up = yield from link_payment(environment, unit, purchase, fact.payment_intent_id, runs)
    yield from apply_update(
        environment, unit, purchase, fact.update, paid_minor=fact.amount_total_minor or 0, net_paid_minor=paid_for_credits_minor(fact)
    )
    result = PROCESSED._replace(picked_up=picked_up).about({"picked_up": " ".join(event.event_id for event in picked_up)})
    if purchase.status is before or purchase.status is not PurchaseStatus.COMPLETED:
        return result
    completed_after_us = unit.now_us - purchase.create_time_us
    return result._replace(completed_after_us=completed_after_us).about({"granted_microcredits": purchase.credits})


def _objection(environment: Environment, purchase: Purchase, fact: CheckoutFact) -> Work[Result | None]:
    """Why the session must not move the purchase; None when it may."""
    if fact.update is None:
        return ignored("the customer has not finished")
    if fact.update in MONEY_UPDATES:
        mismatch = check_payment(
            snapshot_of(purchase),
            fact,
            livemode_expected=environment.terms.livemode,
            promotion_codes_allowed=terms_of(environment, purchase).promotion_codes_allowed,
        )
        if mismatch is not None:
            return quarantined(str(mismatch))
    if purchase.checkout_session_id not in ("", fact.session_id):
        return ignored("another session than the purchase's")
    paid_by = purchase.payment_intent_id if purchase.status is PurchaseStatus.COMPLETED else ""
    if paid_by and fact.payment_intent_id not in (None, paid_by):
        return quarantined("the purchase has another payment")
    if (yield from other_purchase(fact.payment_intent_id, purchase)) or (yield from other_purchase(fact.session_id, purchase)):
        return quarantined("the session or the payment belongs to another purchase")
    return None
