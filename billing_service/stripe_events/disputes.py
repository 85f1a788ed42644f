"""charge.dispute.* and radar.early_fraud_warning.created: a customer's bank wants money back, or may soon."""

from billing_service.commands.environment import Environment
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import DisputeFact
from billing_service.stripe_events.lookup import purchase_of_payment
from billing_service.stripe_events.verdict import Verdict, quarantined

DISPUTED = quarantined("a purchase of ours is disputed: its credits do not follow the dispute, an operator decides")


def handle_dispute(environment: Environment, fact: DisputeFact) -> Work[Verdict]:
    """Of our purchases these are kept and alarmed; they move no credits."""
    found = yield from purchase_of_payment(environment, fact.payment_intent_id)
    return found if isinstance(found, Verdict) else DISPUTED
