"""refund.* and charge.refunded: money that went back, wherever that began."""

from collections.abc import Sequence

from billing_service.commands.environment import Environment
from billing_service.commands.refund_news import RefundNews, apply_refund_news
from billing_service.domain.refusals import stripe_unavailable
from billing_service.payments.port import ProviderRefused, ProviderUnavailable
from billing_service.storage.event_rows import waiting_events
from billing_service.storage.purchase_rows import await_reference, find_purchase, read_purchase
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import ChargeFact, CheckoutFact, Fact, PaymentIntentFact, RefundFact
from billing_service.stripe_events.lookup import locked_purchase
from billing_service.stripe_events.ownership import Claim, Whose, owner_of
from billing_service.stripe_events.payments import refund_news
from billing_service.stripe_events.verdict import PROCESSED, Verdict, ignored, quarantined, waiting


def handle_refund(environment: Environment, fact: RefundFact) -> Work[Verdict]:
    """refund.created, .updated, .failed: each tells the refund as it stood then; the furthest wins."""
    return (yield from _apply(environment, fact.payment_intent_id, [refund_news(environment.deployment, fact)]))


def handle_charge(environment: Environment, fact: ChargeFact, refunds: Sequence[RefundNews] | None) -> Work[Verdict]:
    """charge.refunded: its amount is a running total and takes nothing. It only makes us look for refunds that we were not told of."""
    return (yield from _apply(environment, fact.payment_intent_id, refunds or ()))


def _apply(environment: Environment, payment_intent_id: str | None, refunds: Sequence[RefundNews]) -> Work[Verdict]:
    if not payment_intent_id:
        return ignored("the charge belongs to no payment intent")
    key = yield from await_reference(payment_intent_id)
    if key is None:
        return waiting(payment_intent_id)
    unit, purchase = yield from locked_purchase(environment, key)
    if any(news.currency != purchase.currency for news in refunds):
        return quarantined(f"currency: expected {purchase.currency}")
    for news in refunds:
        yield from apply_refund_news(unit, purchase, news)
    yield from unit.write()
    return PROCESSED


async def ask_for_refunds(environment: Environment, claim: Claim, fact: Fact) -> list[RefundNews] | None:
    """Stripe's own list of refunds, where an event makes us doubt that we know all of them; else None. Raises STRIPE_UNAVAILABLE.

    Asked before the transaction: for a charge that says more went back than we know, and for an event that binds a payment while
    such a charge has been waiting for it.
    """
    payment_intent_id = await environment.store.read(lambda: _doubtful(environment, claim, fact))
    if not payment_intent_id:
        return None
    try:
        listed = await environment.provider.list_refunds(payment_intent_id)
    except (ProviderUnavailable, ProviderRefused) as error:
        raise stripe_unavailable() from error
    return [refund_news(environment.deployment, sent) for sent in listed]


def _doubtful(environment: Environment, claim: Claim, fact: Fact) -> Work[str]:
    """The payment whose refunds must be asked for; empty when none must. Nothing is asked for strangers."""
    if (yield from owner_of(environment.deployment, claim)).whose is not Whose.OURS:
        return ""
    if isinstance(fact, ChargeFact) and fact.payment_intent_id:
        found = yield from find_purchase(fact.payment_intent_id)
        purchase = (yield from read_purchase(*found)) if found else None
        if purchase is not None and purchase.refunded_minor < fact.amount_refunded_minor:
            return fact.payment_intent_id
    elif isinstance(fact, CheckoutFact | PaymentIntentFact) and fact.payment_intent_id:
        waiting = yield from waiting_events(fact.payment_intent_id)
        if any(event.event_type == "charge.refunded" for event in waiting):
            return fact.payment_intent_id
    return ""
