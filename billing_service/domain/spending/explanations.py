"""Why a card prices a usage as it does, for whoever writes or doubts a card. Nothing here decides a price."""

from dataclasses import dataclass

from billing_service.domain.catalogue.rate_cards import Column, Match, RateCard, UnitPrice
from billing_service.domain.spending.pricing import Price, TimeBasis, find_column, find_entry, price
from billing_service.domain.spending.usage import Usage, UsageLine


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """A line of the usage and the card's price for it; None where it has none."""

    line: UsageLine
    unit_price: UnitPrice | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a usage found its prices."""

    match: Match
    column: Column | None
    """None where the provider's own cost is the price."""
    prompt_tokens: int
    prompt_tier: int
    lines: tuple[ExplainedLine, ...]
    markup_ppm: int
    markup_from: str
    """`entry`, `provider` or `card`: who says what is added."""
    price: Price | None
    """None where a line has no price."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Measures of the usage for which the card has no price."""
        return tuple(explained.line.measure.word for explained in self.lines if explained.unit_price is None)

    @property
    def fallbacks(self) -> tuple[ExplainedLine, ...]:
        """Lines whose price is another's, because the card's source had none of its own; none where the provider's own
        cost is the price."""
        if self.column is None:
            return ()
        return tuple(
            explained for explained in self.lines if explained.unit_price is not None and explained.unit_price.fallback
        )


def explain(usage: Usage, card: RateCard, time_us: int) -> Explanation:
    """Refuses as `price` does, except for a line without a price: it is part of the explanation."""
    match = find_entry(usage, card)
    entry = match.entry
    column, prompt_tier = None, 0
    lines = tuple(ExplainedLine(line, UnitPrice(0, "the provider's own cost")) for line in usage.lines)
    if not entry.provider_cost:
        column = find_column(usage, card, entry, time_us)
        prompt_tier, prices = column.prices_of(usage.prompt_tokens)
        lines = tuple(ExplainedLine(line, prices.get(line.measure)) for line in usage.lines)
    named = {(markup.provider, markup.model) for markup in card.markups}
    of_provider = "provider" if (entry.provider, "") in named else "card"
    return Explanation(
        match=match,
        column=column,
        prompt_tokens=usage.prompt_tokens,
        prompt_tier=prompt_tier,
        lines=lines,
        markup_ppm=card.markup_of(entry),
        markup_from="entry" if (entry.provider, entry.model) in named else of_provider,
        price=None
        if any(line.unit_price is None for line in lines)
        else price(usage, card, time_us, TimeBasis.RECEIVED),
    )
