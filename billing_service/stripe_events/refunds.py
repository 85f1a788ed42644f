"""refund.*, charge.refund.updated and charge.refunded: money that went back, wherever that began."""

from functools import partial

from billing_service.commands.environment import Environment
from billing_service.commands.sales.refund_update import RefundUnusableError, apply_refund_update, update_of
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.payments.port import ProviderRefund
from billing_service.storage.rows.events import EventStatus
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import ChargeFact, RefundFact
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.result import PROCESSED, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs


def handle_refund(environment: Environment, fact: RefundFact) -> Work[Result]:
    """Each of these events has the whole refund as it was then; the furthest wins."""
    return (yield from on_purchase_of(environment, fact.payment_intent_id, partial(apply_refund, environment, fact=fact)))


def handle_charge(environment: Environment, fact: ChargeFact, runs: Runs) -> Work[Result]:
    """charge.refunded takes nothing by itself. It only makes us look for refunds that no event has brought."""
    return (yield from on_purchase_of(environment, fact.payment_intent_id, partial(_charge, environment, fact=fact, runs=runs)))


def _charge(environment: Environment, unit: Unit, purchase: Purchase, fact: ChargeFact, runs: Runs) -> Work[Result]:
    failure = runs.refunds_of(fact.payment_intent_id).failure
    if failure is not None:
        raise failure
    return (yield from apply_charge(environment, unit, purchase, fact, runs))


def apply_refund(environment: Environment, unit: Unit, purchase: Purchase, fact: RefundFact) -> Work[Result]:
    """Books the refund of a purchase. The caller writes the unit."""
    return quarantined(fact.fault) if fact.sent is None else (yield from _apply(environment, unit, purchase, fact.sent))


def apply_charge(environment: Environment, unit: Unit, purchase: Purchase, fact: ChargeFact, runs: Runs) -> Work[Result]:
    """Books the refunds that Stripe lists. The caller writes the unit."""
    listed = runs.refunds_of(fact.payment_intent_id)
    faults, refunds = [listed.fault] if listed.fault else [], []
    for sent in listed.sent:
        result = yield from _apply(environment, unit, purchase, sent)
        if result.status is EventStatus.QUARANTINED:
            faults.append(result.note)
        refunds.append(f"{result.did.get('refund_id', sent.stripe_refund_id)} {sent.status} {sent.amount_minor}")
    result = quarantined("; ".join(faults)) if faults else PROCESSED
    return result.about({"refunds": "; ".join(refunds)})


def _apply(environment: Environment, unit: Unit, purchase: Purchase, sent: ProviderRefund) -> Work[Result]:
    try:
        update = update_of(environment.deployment, sent)
    except RefundUnusableError as error:
        return quarantined(str(error))
    if update.currency != purchase.currency:
        return quarantined(f"currency: expected {purchase.currency}")
    if update.amount_minor == 0:
        return ignored("nothing went back")
    refund = yield from apply_refund_update(environment, unit, purchase, update)
    return PROCESSED.about(
        {
            "refund_id": refund.refund_id,
            "stripe_refund_id": refund.stripe_refund_id,
            "refund_status": refund.status.value,
            "refund_minor": refund.amount_minor,
        }
    )
