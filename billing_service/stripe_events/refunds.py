"""refund.*, charge.refund.updated and charge.refunded: money that went back, wherever that began."""

from billing_service.commands.environment import Environment
from billing_service.commands.refund_news import RefundUnusableError, apply_refund_news, news_of
from billing_service.commands.unit import Unit
from billing_service.domain.records import Purchase
from billing_service.payments.port import ProviderRefund
from billing_service.storage.event_rows import EventStatus
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import ChargeFact, RefundFact
from billing_service.stripe_events.lookup import purchase_of_payment
from billing_service.stripe_events.runs import Runs
from billing_service.stripe_events.verdict import PROCESSED, Verdict, ignored, quarantined


def handle_refund(environment: Environment, fact: RefundFact) -> Work[Verdict]:
    """Each of these events tells the whole refund as it stood then; the furthest wins."""
    found = yield from purchase_of_payment(environment, fact.payment_intent_id)
    if isinstance(found, Verdict):
        return found
    unit, purchase = found
    verdict = yield from apply_refund(unit, purchase, fact)
    yield from unit.write()
    return verdict


def handle_charge(environment: Environment, fact: ChargeFact, runs: Runs) -> Work[Verdict]:
    """charge.refunded takes nothing by itself. It only makes us look for refunds that we were not told of."""
    found = yield from purchase_of_payment(environment, fact.payment_intent_id)
    if isinstance(found, Verdict):
        return found
    failure = runs.refunds_of(fact.payment_intent_id).failure
    if failure is not None:
        raise failure
    unit, purchase = found
    verdict = yield from apply_charge(unit, purchase, fact, runs)
    yield from unit.write()
    return verdict


def apply_refund(unit: Unit, purchase: Purchase, fact: RefundFact) -> Work[Verdict]:
    """Books the refund of a purchase. The caller writes the unit."""
    return quarantined(fact.fault) if fact.sent is None else (yield from _apply(unit, purchase, fact.sent))


def apply_charge(unit: Unit, purchase: Purchase, fact: ChargeFact, runs: Runs) -> Work[Verdict]:
    """Books the refunds that Stripe lists. The caller writes the unit."""
    listed = runs.refunds_of(fact.payment_intent_id)
    faults = [listed.fault] if listed.fault else []
    for sent in listed.sent:
        verdict = yield from _apply(unit, purchase, sent)
        if verdict.status is EventStatus.QUARANTINED:
            faults.append(verdict.note)
    return quarantined("; ".join(faults)) if faults else PROCESSED


def _apply(unit: Unit, purchase: Purchase, sent: ProviderRefund) -> Work[Verdict]:
    try:
        news = news_of(unit.environment.deployment, sent)
    except RefundUnusableError as error:
        return quarantined(str(error))
    if news.currency != purchase.currency:
        return quarantined(f"currency: expected {purchase.currency}")
    if news.amount_minor == 0:
        return ignored("nothing went back")
    yield from apply_refund_news(unit, purchase, news)
    return PROCESSED
