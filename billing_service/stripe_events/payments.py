"""Binds a payment to its purchase, and picks up what came for it too early."""

from billing_service.commands.environment import Environment
from billing_service.commands.refund_news import RefundNews, apply_refund_news, status_from_stripe
from billing_service.commands.unit import Unit
from billing_service.domain.records import Purchase
from billing_service.storage.event_rows import EventStatus, close_event, waiting_events
from billing_service.storage.purchase_rows import PURCHASES, claim_reference
from billing_service.storage.statements import Work
from billing_service.stripe_events.envelope import parse_envelope
from billing_service.stripe_events.facts import PaymentIntentFact, RefundFact, parse_fact
from billing_service.stripe_events.lookup import other_purchase, purchase_of_ours
from billing_service.stripe_events.verdict import PROCESSED, Verdict, ignored, quarantined


def handle_payment_intent(environment: Environment, fact: PaymentIntentFact) -> Work[Verdict]:
    """payment_intent.*: says which payment is whose. It never grants, and a customer whose card was declined may try again."""
    if fact.purchase_id is None:
        return ignored("the payment names no purchase of ours")
    found = yield from purchase_of_ours(environment, fact.purchase_id)
    if found is None:
        return quarantined("the payment names a purchase that is not known here")
    unit, purchase = found
    if (yield from other_purchase(fact.payment_intent_id, purchase)) or purchase.payment_intent_id not in ("", fact.payment_intent_id):
        return quarantined("the payment and the purchase are bound to others")
    yield from link_payment(unit, purchase, fact.payment_intent_id)
    yield from unit.write()
    return PROCESSED


def link_payment(unit: Unit, purchase: Purchase, payment_intent_id: str | None) -> Work[None]:
    """Binds a payment that is nobody else's, then applies the refunds that waited for it."""
    if not payment_intent_id or purchase.payment_intent_id == payment_intent_id:
        return
    purchase.payment_intent_id = payment_intent_id
    yield from PURCHASES.replace(purchase)
    bound = yield from claim_reference(payment_intent_id, purchase.account_id, purchase.purchase_id)
    assert bound, "checked before anything was changed"
    for event in (yield from waiting_events(payment_intent_id)):
        fact = parse_fact(parse_envelope(event.payload))
        if isinstance(fact, RefundFact):
            yield from apply_refund_news(unit, purchase, refund_news(fact))
        yield from close_event(event.event_id, EventStatus.PROCESSED, unit.now_us)


def refund_news(fact: RefundFact) -> RefundNews:
    return RefundNews(fact.stripe_refund_id, fact.refund_id or "", fact.amount_minor, fact.currency, status_from_stripe(fact.status))
