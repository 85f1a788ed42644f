"""checkout.session.*: where purchases are completed, promised, failed and expired."""

from collections.abc import Sequence

from billing_service.commands.completion import hear
from billing_service.commands.environment import Environment
from billing_service.commands.refund_news import RefundNews
from billing_service.commands.sale_terms import terms_of
from billing_service.domain.purchases import PurchaseNews, PurchaseSnapshot, PurchaseStatus, check_payment
from billing_service.domain.records import Purchase
from billing_service.storage.purchase_rows import PURCHASES, claim_reference
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import CheckoutFact
from billing_service.stripe_events.lookup import locked_purchase, other_purchase
from billing_service.stripe_events.ownership import PurchaseKey
from billing_service.stripe_events.payments import link_payment
from billing_service.stripe_events.verdict import PROCESSED, Verdict, ignored, quarantined

_MONEY = (PurchaseNews.PAID, PurchaseNews.FUNDS_PROMISED)


def handle_checkout(environment: Environment, key: PurchaseKey, fact: CheckoutFact, refunds: Sequence[RefundNews] | None) -> Work[Verdict]:
    """Completes a purchase when the session is paid and is the one that was sold; `refunds` are known to stand against it."""
    if fact.mode != "payment":
        return ignored(f"a checkout in mode {fact.mode} sells no credits here")
    if fact.note:
        return quarantined(fact.note)
    unit, purchase = yield from locked_purchase(environment, key)
    objection = yield from _objection(environment, purchase, fact)
    if objection is not None:
        return objection
    assert fact.news is not None
    if not purchase.checkout_session_id:
        purchase.checkout_session_id = fact.session_id
        yield from PURCHASES.replace(purchase)
    yield from claim_reference(fact.session_id, purchase.account_id, purchase.purchase_id)
    yield from link_payment(unit, purchase, fact.payment_intent_id, refunds)
    before = purchase.status
    yield from hear(unit, purchase, fact.news, paid_minor=fact.amount_total_minor or 0)
    yield from unit.write()
    completed = purchase.status is PurchaseStatus.COMPLETED and before is not PurchaseStatus.COMPLETED
    return PROCESSED._replace(completed_after_us=unit.now_us - purchase.create_time_us if completed else None)


def _objection(environment: Environment, purchase: Purchase, fact: CheckoutFact) -> Work[Verdict | None]:
    """Why the session must not move the purchase; None when it may."""
    if fact.news in _MONEY:
        snapshot = PurchaseSnapshot(
            purchase.purchase_id, purchase.account_id, purchase.amount_minor, purchase.currency, purchase.checkout_session_id or None
        )
        mismatch = check_payment(
            snapshot,
            fact,
            livemode_expected=environment.terms.livemode,
            promotion_codes_allowed=terms_of(environment, purchase).promotion_codes_allowed,
        )
        if mismatch is not None:
            return quarantined(str(mismatch))
    if fact.news is None:
        return ignored("the customer has not finished")
    if purchase.checkout_session_id not in ("", fact.session_id):
        return ignored("another session than the purchase's")
    if purchase.payment_intent_id and fact.payment_intent_id not in (None, purchase.payment_intent_id):
        return quarantined("the purchase has another payment")
    if (yield from other_purchase(fact.payment_intent_id, purchase)) or (yield from other_purchase(fact.session_id, purchase)):
        return quarantined("the session or the payment belongs to another purchase")
    return None
