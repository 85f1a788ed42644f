"""Prices on the way into a card: exact decimals, each with the place it was taken from, multiplied and then made whole
numbers."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Final, NamedTuple

from billing_service.domain.catalogue.card_values import NAME_CHARACTERS_MAX
from billing_service.domain.catalogue.exact_decimals import NotExactError, price_e18
from billing_service.domain.catalogue.moments import Hours
from billing_service.domain.catalogue.rate_card_checks import entry_problems
from billing_service.domain.catalogue.rate_card_files import ABOVE_TOKENS_MAX
from billing_service.domain.catalogue.rate_cards import DATED, Attributes, Column, Entry, PromptTier, UnitPrice
from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind, measure
from billing_service.rate_import.reports import NotImportableError

BATCH: Final = "batch"
"""The service tier of what is asked for in batches."""
STANDARD_TIER_WORD: Final = "standard tier"
BASE_PRICE_WORD: Final = "price below the threshold"
TOO_FINE: Final = "has more than 18 decimals"

LAST_TOKEN_KIND: Final = UsageKind.OUTPUT_IMAGE_TOKENS
UNITS_KIND: Final = UsageKind.UNITS
INPUT: Final = Measure(UsageKind.INPUT_TOKENS)
CACHED: Final = Measure(UsageKind.CACHED_INPUT_TOKENS)
WRITTEN_5M: Final = measure(UsageKind.CACHE_WRITE_TOKENS, "5m")
WRITTEN_30M: Final = measure(UsageKind.CACHE_WRITE_TOKENS, "30m")
WRITTEN_1H: Final = measure(UsageKind.CACHE_WRITE_TOKENS, "1h")
WRITTEN_12H: Final = measure(UsageKind.CACHE_WRITE_TOKENS, "12h")
OUTPUT: Final = Measure(UsageKind.OUTPUT_TOKENS)
REASONING: Final = Measure(UsageKind.REASONING_TOKENS)
INPUT_AUDIO: Final = Measure(UsageKind.INPUT_AUDIO_TOKENS)
CACHED_AUDIO: Final = Measure(UsageKind.CACHED_AUDIO_TOKENS)
OUTPUT_AUDIO: Final = Measure(UsageKind.OUTPUT_AUDIO_TOKENS)
INPUT_IMAGE: Final = Measure(UsageKind.INPUT_IMAGE_TOKENS)
CACHED_IMAGE: Final = Measure(UsageKind.CACHED_IMAGE_TOKENS)
OUTPUT_IMAGE: Final = Measure(UsageKind.OUTPUT_IMAGE_TOKENS)
IMAGES: Final = Measure(UsageKind.IMAGES)
REQUESTS: Final = Measure(UsageKind.REQUESTS)
SECONDS_IN: Final = measure(UsageKind.SECONDS, "in")
SECONDS_OUT: Final = measure(UsageKind.SECONDS, "out")


def is_literal(name: str) -> bool:
    """Whether a card takes the name as it is."""
    return 0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable() and not name.endswith(DATED)


def units(name: str) -> Measure:
    """The measure of a unit by its name."""
    return measure(UsageKind.UNITS, name)


class Rate(NamedTuple):
    """USD for `per` units, and whence it is if the list has no price of its own for this."""

    usd: Decimal | int
    fallback: str = ""
    per: int = 1

    def instead_of(self, word: str) -> "Rate":
        """The same price for something else; the first place that it came from stays."""
        return self if self.fallback else self._replace(fallback=word)


Rates = Mapping[Measure, Rate]


class ColumnRates(NamedTuple):
    """A column before its prices are whole numbers."""

    base: Rates
    service_tier: str = ""
    attributes: Attributes = ()
    hours: tuple[Hours, ...] = ()
    above: tuple[tuple[int, Rates], ...] = ()
    """Thresholds, ascending, each with all prices above it."""

    def scaled(self, multiplier: Decimal, attributes: Attributes) -> "ColumnRates":
        """The column for those attributes, in which each price is multiplied, exactly."""

        def times(rates: Rates) -> Rates:
            return {measure: rate._replace(usd=product(rate.usd, multiplier)) for measure, rate in rates.items()}

        above = tuple((threshold, times(rates)) for threshold, rates in self.above)
        return self._replace(base=times(self.base), above=above, attributes=attributes)

    def only(self, kept: AbstractSet[Measure]) -> "ColumnRates":
        """The column with those measures alone."""

        def of(rates: Rates) -> Rates:
            return {measure: rate for measure, rate in rates.items() if measure in kept}

        return self._replace(base=of(self.base), above=tuple((threshold, of(found)) for threshold, found in self.above))

    def with_more(self, rates: Rates) -> "ColumnRates":
        """The column with prices that no threshold changes."""
        above = tuple((threshold, {**rates, **found}) for threshold, found in self.above)
        return self._replace(base={**rates, **self.base}, above=above)


def product(usd: Decimal | int, multiplier: Decimal) -> Decimal:
    """Decimal's own product is rounded to 28 digits, so the digits are multiplied as whole numbers."""
    left, right = Decimal(usd).as_tuple(), multiplier.as_tuple()
    assert isinstance(left.exponent, int)
    assert isinstance(right.exponent, int)
    digits = int("".join(map(str, left.digits))) * int("".join(map(str, right.digits)))
    return Decimal((0, tuple(map(int, str(digits))), left.exponent + right.exponent))


def column(rates: ColumnRates, omitted: list[str]) -> Column | None:
    """The card's column; None where no price is left of it. A price that needs more than 18 decimals is left out, and
    named."""
    place = " ".join([rates.service_tier, *(f"{name}={value}" for name, value in rates.attributes)]).strip()

    def whole(found: Rates, at: str) -> dict[Measure, UnitPrice]:
        prices: dict[Measure, UnitPrice] = {}
        for what in sorted(found):
            rate = found[what]
            try:
                prices[what] = UnitPrice(price_e18(rate.usd, per=rate.per), rate.fallback)
            except NotExactError:
                omitted.append(f"{' '.join(filter(None, (place, at, what.word)))}: {_shown(rate)} USD {TOO_FINE}")
        return prices

    base = whole(rates.base, "")
    tiers = tuple(PromptTier(threshold, whole(found, f"above {threshold}")) for threshold, found in rates.above)
    if not base and rates.hours:
        raise NotImportableError("its prices for some hours need more than 18 decimals")
    return Column(base, rates.service_tier, rates.attributes, rates.hours, tiers) if base else None


def checked_entry(entry: Entry) -> Entry:
    """The entry itself. Raises NotImportableError where its parts contradict each other (its data did), or where no
    file can have it."""
    if any(tier.above_tokens > ABOVE_TOKENS_MAX for made in entry.columns for tier in made.prompt_tiers):
        raise NotImportableError(f"a price above more than {ABOVE_TOKENS_MAX} tokens")
    problem = next(entry_problems(entry), None)
    if problem is not None:
        raise NotImportableError(f"its data contradict themselves at {problem.removeprefix('.')}")
    return entry


def why_nothing_is_left(omitted: Sequence[str]) -> str:
    """Why a model has no price at the standard tier, for the report: the first of its omissions, without the
    numbers."""
    if not omitted:
        return "no price at the standard tier"
    return f"its price {TOO_FINE}" if omitted[0].endswith(TOO_FINE) else omitted[0].partition(": ")[2]


def _shown(rate: Rate) -> str:
    return f"{rate.usd}" if rate.per == 1 else f"{rate.usd} / {rate.per}"
