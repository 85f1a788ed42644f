"""charge.dispute.* and radar.early_fraud_warning.created: a customer's bank wants money back, or may soon."""

from billing_service.commands.environment import Environment
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.storage.statements import Work
from billing_service.stripe_events.facts import DisputeFact
from billing_service.stripe_events.lookup import on_purchase_of
from billing_service.stripe_events.result import Result, quarantined

DISPUTED = quarantined("a purchase of ours is disputed: its credits do not follow the dispute, an operator decides")


def handle_dispute(environment: Environment, fact: DisputeFact) -> Work[Result]:
    """Of our purchases these are kept and alarmed; they move no credits."""
    return (yield from on_purchase_of(environment, fact.payment_intent_id, _disputed))


def _disputed(_unit: Unit, _purchase: Purchase) -> Work[Result]:
    return DISPUTED
    yield  # an effect is a generator
