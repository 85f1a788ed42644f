"""radar.early_fraud_warning.created: a bank may want money back soon."""

from typing import Final

from billing_service.commands.environment import Environment
from billing_service.payments.objects.early_fraud_warning import KIND, EarlyFraudWarning, read_early_fraud_warning
from billing_service.storage.statements import Work
from billing_service.stripe_events import ownership
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.families.dispute import alarm, apply
from billing_service.stripe_events.family import Family, NoEffect, Occasion
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.ownership import Owner
from billing_service.stripe_events.result import Result
from billing_service.stripe_events.runs import Runs


def read(envelope: Envelope) -> EarlyFraudWarning | NoEffect:
    warning = read_early_fraud_warning(envelope.object)
    warning.check("payment_intent_id")
    return NoEffect("it belongs to no payment intent") if warning.payment_intent_id is None else warning


def handle(
    environment: Environment, _owner: Owner, warning: EarlyFraudWarning, _occasion: Occasion, _runs: Runs
) -> Work[Result]:
    """As a dispute: kept and alarmed, and no credits are moved."""
    return (yield from on_purchase_of(environment, warning.payment_intent_id, alarm))


FAMILY: Final = Family(KIND, ("radar.early_fraud_warning.created",), read, ownership.of_dispute, handle, apply=apply)
