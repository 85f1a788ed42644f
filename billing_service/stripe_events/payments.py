"""Binds a payment to its purchase, and picks up what came for it too early."""

from collections.abc import Sequence

from billing_service.commands.environment import Environment
from billing_service.commands.refund_news import RefundNews, UnknownRefundStatusError, apply_refund_news, status_from_stripe
from billing_service.commands.unit import Unit
from billing_service.domain.deployment import Deployment, MarkKind
from billing_service.domain.records import Purchase
from billing_service.domain.refusals import conflict
from billing_service.payments.port import ProviderRefund
from billing_service.storage.event_rows import close_event, waiting_events
from billing_service.storage.purchase_rows import PURCHASES, claim_reference
from billing_service.storage.statements import Work
from billing_service.stripe_events.envelope import parse_envelope
from billing_service.stripe_events.facts import ChargeFact, PaymentIntentFact, RefundFact, parse_fact
from billing_service.stripe_events.lookup import locked_purchase, other_purchase
from billing_service.stripe_events.object_fields import FactInvalid
from billing_service.stripe_events.ownership import PurchaseKey
from billing_service.stripe_events.verdict import PROCESSED, Verdict, quarantined


def handle_payment_intent(
    environment: Environment, key: PurchaseKey, fact: PaymentIntentFact, refunds: Sequence[RefundNews] | None
) -> Work[Verdict]:
    """payment_intent.*: says which payment is whose. It never grants, and a customer whose card was declined may try again."""
    unit, purchase = yield from locked_purchase(environment, key)
    if fact.purchase_id not in (None, purchase.purchase_id):
        return quarantined("the payment names another purchase than the one that it is bound to")
    if (yield from other_purchase(fact.payment_intent_id, purchase)) or purchase.payment_intent_id not in ("", fact.payment_intent_id):
        return quarantined("the payment and the purchase are bound to others")
    yield from link_payment(unit, purchase, fact.payment_intent_id, refunds)
    yield from unit.write()
    return PROCESSED


def link_payment(unit: Unit, purchase: Purchase, payment_intent_id: str | None, refunds: Sequence[RefundNews] | None) -> Work[None]:
    """Binds a payment that is nobody else's, then applies the refunds that waited for it, and those that Stripe was asked for.

    `refunds` is None when Stripe was not asked. Raises Failure when it should have been: a charge that names no refund came to wait
    meanwhile, and the next try of this event asks.
    """
    if not payment_intent_id:
        return
    if purchase.payment_intent_id != payment_intent_id:
        purchase.payment_intent_id = payment_intent_id
        yield from PURCHASES.replace(purchase)
        bound = yield from claim_reference(payment_intent_id, purchase.account_id, purchase.purchase_id)
        assert bound, "checked before anything was changed"
        yield from _pick_up(unit, purchase, asked=refunds is not None)
    for news in refunds or ():
        yield from apply_refund_news(unit, purchase, news)


def _pick_up(unit: Unit, purchase: Purchase, *, asked: bool) -> Work[None]:
    """Gives the events that waited for this payment their effect."""
    for event in (yield from waiting_events(purchase.payment_intent_id)):
        verdict = PROCESSED
        try:
            fact = parse_fact(parse_envelope(event.payload))
            news = refund_news(unit.environment.deployment, fact) if isinstance(fact, RefundFact) else None
        except (FactInvalid, UnknownRefundStatusError) as error:
            fact, news, verdict = None, None, quarantined(str(error))
        if news is not None and news.currency == purchase.currency:
            yield from apply_refund_news(unit, purchase, news)
        elif news is not None:
            verdict = quarantined(f"currency: expected {purchase.currency}")
        elif isinstance(fact, ChargeFact) and not asked:
            raise conflict()
        yield from close_event(event.event_id, verdict.status, unit.now_us, error=verdict.note)


def refund_news(deployment: Deployment, sent: RefundFact | ProviderRefund) -> RefundNews:
    """What an event, or Stripe's own list, says of a refund. Raises UnknownRefundStatusError."""
    return RefundNews(
        sent.stripe_refund_id,
        sent.refund_id or "",
        sent.amount_minor,
        sent.currency,
        status_from_stripe(sent.status),
        is_ours=deployment.made(MarkKind.REFUND, sent.refund_id or "", sent.mark),
    )
