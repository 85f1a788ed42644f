"""What changes from one card to another, price by price."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from billing_service.domain.catalogue.moments import WEEK_DAYS, Hours, clock_text
from billing_service.domain.catalogue.rate_cards import Column, Entry, Prices, RateCard


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two cards say differently. None: that card does not say it. Prices are 1e-18 USD."""

    provider: str
    model: str
    what: str
    """`output_tokens`, after the service tier, attributes, hours and prompt tier that it is for: `priority above 200000
    output_tokens`."""
    before: int | str | None
    after: int | str | None

    @property
    def is_price(self) -> bool:
        return isinstance(self.before, int) or isinstance(self.after, int)


def differences(before: RateCard, after: RateCard) -> list[Difference]:
    """Ordered by provider, model and what differs: prices, aliases and markups, and as one an entry that only one card
    has."""
    shared = _names(before) & _names(after)
    old, new = dict(_statements(before, shared)), dict(_statements(after, shared))
    return [
        Difference(*key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def column_words(column: Column) -> str:
    """What a column is for, in words; empty for the standard tier at any hour."""
    return " ".join(
        [
            column.service_tier,
            *(f"{name}={value}" for name, value in column.attributes),
            *map(hours_words, column.hours),
        ]
    ).strip()


def hours_words(hours: Hours) -> str:
    """`mon-tue-wed 00:00-01:00`; without days where it is all of them."""
    days = "" if len(hours.days) == len(WEEK_DAYS) else "-".join(WEEK_DAYS[day] for day in hours.days) + " "
    return f"{days}{clock_text(hours.from_s)}-{clock_text(hours.until_s)}"


def _names(card: RateCard) -> set[tuple[str, str]]:
    return {(entry.provider, entry.model) for entry in card.entries}


def _statements(
    card: RateCard, shared: AbstractSet[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str, str], int | str]]:
    yield ("", "", "markup"), f"{card.markup_ppm} ppm"
    for markup in card.markups:
        yield (markup.provider, markup.model, "markup"), f"{markup.markup_ppm} ppm"
    for name, tier in card.service_tier_aliases.items():
        yield ("", "", f"service tier {name}"), tier
    for alias in card.aliases:
        yield (alias.provider, alias.name, "alias of"), f"{alias.to_provider} {alias.to_model}"
    for entry in card.entries:
        if (entry.provider, entry.model) in shared:
            yield from _of_entry(entry)
        else:
            count = sum(1 for _ in _of_entry(entry))
            yield (entry.provider, entry.model, "entry"), f"{count} price{'' if count == 1 else 's'}"


def _of_entry(entry: Entry) -> Iterator[tuple[tuple[str, str, str], int | str]]:
    key = entry.provider, entry.model
    if entry.provider_cost:
        yield (*key, "price"), "the provider's own cost"
    for name in sorted({name for name, _ in entry.neutral_attributes}):
        yield (*key, f"neutral {name}"), " ".join(value for other, value in entry.neutral_attributes if other == name)
    for column in entry.columns:
        words = column_words(column)
        yield from _of_prices(key, words, column.prices)
        for tier in column.prompt_tiers:
            yield from _of_prices(key, f"{words} above {tier.above_tokens}".strip(), tier.prices)


def _of_prices(key: tuple[str, str], words: str, prices: Prices) -> Iterator[tuple[tuple[str, str, str], int | str]]:
    found: Mapping[str, int] = {measure.word: price.usd_e18 for measure, price in prices.items()}
    for word, usd_e18 in found.items():
        yield (*key, f"{words} {word}".strip()), usd_e18
