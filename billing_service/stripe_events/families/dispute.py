"""charge.dispute.*: a customer's bank wants money back."""

from typing import Final

from billing_service.commands.environment import Environment
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.dispute import KIND, Dispute, read_dispute
from billing_service.payments.objects.fields import StripeObject
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import Result, quarantined
from billing_service.stripe_events.runs import Runs

DISPUTED: Final = quarantined(
    "a purchase of ours is disputed: its credits do not follow the dispute, an operator decides"
)


def read(envelope: Envelope) -> Dispute | NoEffect:
    dispute = read_dispute(envelope.object)
    dispute.check("payment_intent_id")
    return NoEffect("it belongs to no payment intent") if dispute.payment_intent_id is None else dispute


def handle(environment: Environment, _owner: Owner, dispute: Dispute, _occasion: Occasion, _runs: Runs) -> Work[Result]:
    """Of our purchases these are kept and alarmed; they move no credits."""
    return (yield from on_purchase_of(environment, dispute.payment_intent_id, alarm))


def alarm(_unit: Unit, _purchase: Purchase) -> Work[Result]:
    return DISPUTED
    yield  # an effect is a generator


def apply(
    _environment: Environment, unit: Unit, purchase: Purchase, _object: StripeObject, _runs: Runs
) -> Work[Result]:
    """The same, of an event that waited."""
    return (yield from alarm(unit, purchase))


FAMILY: Final = Family(
    KIND,
    (
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ),
    read,
    ownership.of_dispute,
    handle,
    apply=apply,
)
