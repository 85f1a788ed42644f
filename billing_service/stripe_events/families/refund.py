"""refund.* and charge.refund.updated: money that went back, wherever that began."""

from functools import partial
from typing import Final

from billing_service.commands.environment import Environment
from billing_service.commands.sales.refund_update import apply_refund_update, update_of
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.payments.objects.refund import KIND, ProviderRefund, read_refund
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, Result, ignored, quarantined
from billing_service.stripe_events.runs import Runs


def read(envelope: Envelope) -> ProviderRefund | NoEffect:
    """Refunds begun in the Dashboard name nothing of ours: their payment does. Other faults matter once a purchase
    knows it."""
    refund = read_refund(envelope.object)
    refund.check("payment_intent_id")
    return NoEffect("the refund belongs to no payment intent") if refund.payment_intent_id is None else refund


def handle(
    environment: Environment, _owner: Owner, refund: ProviderRefund, _occasion: Occasion, runs: Runs
) -> Work[Result]:
    """Each of these events has the whole refund as it was then; the furthest wins."""
    return (
        yield from on_purchase_of(
            environment, refund.payment_intent_id, partial(apply, environment, refund=refund, runs=runs)
        )
    )


def apply(environment: Environment, unit: Unit, purchase: Purchase, refund: ProviderRefund, runs: Runs) -> Work[Result]:
    """Books the refund of a purchase. The caller writes the unit."""
    del runs
    return (yield from book(environment, unit, purchase, refund))


def book(environment: Environment, unit: Unit, purchase: Purchase, sent: ProviderRefund) -> Work[Result]:
    """The same, of a refund that Stripe lists as well."""
    try:
        update = update_of(environment.deployment, sent)
    except ObjectInvalid as fault:
        return quarantined(str(fault))
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


FAMILY: Final = Family(
    KIND,
    ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"),
    read,
    ownership.of_refund,
    handle,
    apply=apply,
)
