"""radar.early_fraud_warning.created: a bank may want money back soon."""

from functools import partial
from typing import Final

from billing_service.commands.clawbacks.disputes import warn_of_fraud
from billing_service.commands.environment import Environment
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.payments.objects.early_fraud_warning import KIND, EarlyFraudWarning, read_early_fraud_warning
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.family import Family, NoEffect, Occasion
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import PROCESSED, Result
from billing_service.stripe_events.runs import Runs


def read(envelope: Envelope) -> EarlyFraudWarning | NoEffect:
    warning = read_early_fraud_warning(envelope.object)
    warning.check("payment_intent_id")
    return NoEffect("it belongs to no payment intent") if warning.payment_intent_id is None else warning


def handle(
    environment: Environment, _owner: Owner, warning: EarlyFraudWarning, _occasion: Occasion, runs: Runs
) -> Work[Result]:
    """The purchase is flagged. No money moved, so no credits do."""
    effect = partial(apply, environment, warning=warning, runs=runs)
    return (yield from on_purchase_of(environment, warning.payment_intent_id, effect))


def apply(
    environment: Environment, unit: Unit, purchase: Purchase, warning: EarlyFraudWarning, runs: Runs
) -> Work[Result]:
    """Flags the purchase. The caller writes the unit."""
    del environment, warning, runs
    warn_of_fraud(unit, purchase)
    return PROCESSED
    yield  # an effect is a generator


FAMILY: Final = Family(KIND, ("radar.early_fraud_warning.created",), read, ownership.of_dispute, handle, apply=apply)
