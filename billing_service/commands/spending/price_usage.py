"""The price of a usage, before whatever is charged for it is submitted: a deduction, a hold, a capture.

The price is made in the caller's own task, by the card that this process has in memory. So a batch of the ledger only
decides amounts, and reads nothing for it.
"""

from billing_service.commands.rate_card_cache import RateCardCache
from billing_service.domain.refusals import Refusal
from billing_service.domain.spending.price_records import PricedUsage
from billing_service.domain.spending.pricing import price
from billing_service.domain.spending.usage import Usage

Cost = PricedUsage | Refusal
"""What a usage costs, or why it has no price. A refusal is an operation's to raise, once its key is found to be free: a
repeat is answered as its first call was, whatever became of the card since."""


def price_at_hand(cards: RateCardCache, usage: Usage, version: str = "") -> Cost | None:
    """The cost by a card in memory, the one in force or the one of a version; None where a card or the list of them
    must be read first."""
    try:
        found = cards.at_hand(usage.occur_time_us, version)
        if found is None:
            return None
        card, time_us, time_basis = found
        return PricedUsage(usage, price(usage, card, time_us, time_basis))
    except Refusal as refusal:
        return refusal


async def price_by_version(cards: RateCardCache, usage: Usage, version: str) -> Cost:
    """The cost by one card, in force or not. Raises CardDamagedError, STORAGE_UNAVAILABLE."""
    try:
        _, time_us, time_basis = await cards.for_usage(usage.occur_time_us)
        card = await cards.of_version(version)
        return PricedUsage(usage, price(usage, card, time_us, time_basis))
    except Refusal as refusal:
        return refusal


async def price_usage(cards: RateCardCache, usage: Usage) -> Cost:
    """The cost by the card in force. Raises STORAGE_UNAVAILABLE."""
    try:
        card, time_us, time_basis = await cards.for_usage(usage.occur_time_us)
        return PricedUsage(usage, price(usage, card, time_us, time_basis))
    except Refusal as refusal:
        return refusal
