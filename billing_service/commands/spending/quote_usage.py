"""What a usage costs by the card in force, without moving anything."""

from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.domain.spending.explanations import Explanation, explain
from billing_service.domain.spending.pricing import Price, price
from billing_service.domain.spending.usage import Usage


class Quote(NamedTuple):
    """A price, and how the usage found it."""

    price: Price
    explanation: Explanation


async def quote_usage(environment: Environment, usage: Usage) -> Quote:
    """Raises UNKNOWN_MODEL, PRICE_MISSING, INVALID_FIELD."""
    card, time_us, time_basis = await environment.rate_cards.for_usage(usage.occur_time_us)
    priced = price(usage, card, time_us, time_basis)
    return Quote(priced, explain(usage, card, time_us))
