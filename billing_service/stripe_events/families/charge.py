"""charge.refunded: something went back of a payment."""

from functools import partial
from typing import Final

from billing_service.commands.environment import Environment
from billing_service.domain.inbox import EventStatus
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.charge import KIND, Charge, read_charge
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.families.refund import book
from billing_service.stripe_events.family import Family, NoEffect, Occasion
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, Result, quarantined
from billing_service.stripe_events.runs import Runs


def read(envelope: Envelope) -> Charge | NoEffect:
    """A charge's own amount is cumulative over all refunds, of which some may have failed since: no amount to take."""
    charge = read_charge(envelope.object)
    charge.check("payment_intent_id")
    return NoEffect("the charge belongs to no payment intent") if charge.payment_intent_id is None else charge


def handle(environment: Environment, _owner: Owner, charge: Charge, _occasion: Occasion, runs: Runs) -> Work[Result]:
    """It takes nothing by itself. It only makes us look for refunds that no event has brought."""
    return (
        yield from on_purchase_of(
            environment, charge.payment_intent_id, partial(_apply_now, environment, charge=charge, runs=runs)
        )
    )


def _apply_now(environment: Environment, unit: Unit, purchase: Purchase, charge: Charge, runs: Runs) -> Work[Result]:
    failure = runs.refunds_of(charge.payment_intent_id or "").failure
    if failure is not None:
        raise failure
    return (yield from apply(environment, unit, purchase, charge, runs))


def apply(environment: Environment, unit: Unit, purchase: Purchase, charge: Charge, runs: Runs) -> Work[Result]:
    """Books the refunds that Stripe lists. The caller writes the unit."""
    listed = runs.refunds_of(charge.payment_intent_id or "")
    faults, refunds = [listed.fault] if listed.fault else [], []
    for sent in listed.sent:
        result = yield from book(environment, unit, purchase, sent)
        if result.status is EventStatus.QUARANTINED:
            faults.append(result.note)
        refunds.append(f"{result.did.get('refund_id', sent.stripe_refund_id)} {sent.status} {sent.amount_minor}")
    result = quarantined("; ".join(faults)) if faults else PROCESSED
    return result.about({"refunds": "; ".join(refunds)})


FAMILY: Final = Family(KIND, ("charge.refunded",), read, ownership.of_charge, handle, apply=apply)
