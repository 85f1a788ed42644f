"""What a usage costs by a card: exact until the end, and rounded up once.

One microcredit is 1e-8 USD of list price. Costs are whole numbers of 1e-21 USD, so that thousandths of a second have
exact ones too:

    amount = ceil(sum of quantity x unit price x (1 + markup))
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from billing_service.domain.catalogue.exact_decimals import PRICE_DECIMALS, decimal_text, price_text
from billing_service.domain.catalogue.rate_cards import Column, Entry, Match, RateCard
from billing_service.domain.catalogue.usage_kinds import THOUSANDTHS, Measure, UsageKind
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.refusals import Refusal, invalid_field
from billing_service.domain.refusals.spending import price_missing, unknown_model
from billing_service.domain.spending.usage import Usage
from billing_service.domain.times import US_PER_S

COST_DECIMALS: Final = 21
PPM: Final = 1_000_000
_E21_PER_E18: Final = 1_000
_E21_PER_MICROCREDIT: Final[int] = 10 ** (COST_DECIMALS - 8)
_E27_PER_MICROCREDIT: Final[int] = PPM * _E21_PER_MICROCREDIT
EXACT_DECIMALS: Final = COST_DECIMALS - 8 + 6
"""Of a sum in microcredits with its markup: 13 of the costs and 6 of the millionths."""
OCCUR_WINDOW_US: Final = 86_400 * US_PER_S
"""How far back a usage may choose its price."""
NAMES_REMEMBERED_MAX: Final = 4_096
"""Models of a card whose entry is remembered; a wide pattern matches any number of names."""


class TimeBasis(IntEnum):
    """Whose time chose the price. The numbers are the wire's."""

    OCCURRED = 1
    """The caller's `occur_time`."""
    RECEIVED = 2
    """The service's clock: the caller named no time, one of the future, or one too long ago."""


class PricedLine(NamedTuple):
    """One line with its price. Costs are quantity x unit price, not rounded."""

    measure: Measure
    quantity: int
    unit_price_e18: int

    @property
    def cost_e21(self) -> int:
        """In 1e-21 USD, before markup."""
        per_unit = self.quantity * self.unit_price_e18
        return per_unit if self.measure.kind is UsageKind.SECONDS else per_unit * THOUSANDTHS

    @property
    def unit_price_usd(self) -> str:
        """Decimal text of USD for one unit; for a whole second, where seconds are counted."""
        return price_text(self.unit_price_e18)

    @property
    def cost_usd(self) -> str:
        """Decimal text of USD."""
        return decimal_text(self.cost_e21, COST_DECIMALS)


@dataclass(slots=True)
class Price:
    """Why an amount is what it is: all that it was computed from. Kept with the transaction for ever
    (`price_records`). Nobody changes it: it is not frozen because one is made for every call, and freezing doubles what
    that takes."""

    rate_card_version: str
    model_pattern: str
    service_tier: str
    """The column's; empty for the standard tier."""
    prompt_tier: int
    """The number of prompt tokens that the request was above; 0 below all thresholds."""
    lines: tuple[PricedLine, ...]
    provider_cost_e18: int | None
    """Where this is the price, lines cost 0: they are evidence."""
    markup_ppm: int
    time_basis: TimeBasis
    cost_e21: int = field(init=False, repr=False, compare=False)
    """The sum before markup, in 1e-21 USD."""
    amount_microcredits: int = field(init=False, repr=False, compare=False)
    """What is charged: the exact total, rounded up."""

    def __post_init__(self) -> None:
        cost_e21 = (self.provider_cost_e18 or 0) * _E21_PER_E18
        for line in self.lines:
            cost_e21 += line.cost_e21
        self.cost_e21 = cost_e21
        self.amount_microcredits = -(-cost_e21 * (PPM + self.markup_ppm) // _E27_PER_MICROCREDIT)

    @property
    def exact_total(self) -> str:
        """Decimal text of microcredits, before rounding."""
        return decimal_text(self.cost_e21 * (PPM + self.markup_ppm), EXACT_DECIMALS)

    @property
    def provider_cost_usd(self) -> str:
        """Decimal text of USD; empty where the card's prices decided."""
        return "" if self.provider_cost_e18 is None else decimal_text(self.provider_cost_e18, PRICE_DECIMALS)


def cost_max_e21(amount_microcredits: int, markup_ppm: int) -> int:
    """The highest cost before markup, in 1e-21 USD, that is charged with at most so much; rounded down."""
    return amount_microcredits * PPM * _E21_PER_MICROCREDIT // (PPM + markup_ppm)


def pricing_time(occur_time_us: int | None, now_us: int, window_us: int = OCCUR_WINDOW_US) -> tuple[int, TimeBasis]:
    """The moment whose price holds. The caller's, if it is at most `window_us` ago and not ahead; else now."""
    if occur_time_us is not None and now_us - window_us <= occur_time_us <= now_us:
        return occur_time_us, TimeBasis.OCCURRED
    return now_us, TimeBasis.RECEIVED


def price(usage: Usage, card: RateCard, time_us: int, time_basis: TimeBasis) -> Price:
    """The price of a usage by one card, at a moment that `pricing_time` chose.

    Refuses with UNKNOWN_MODEL, and with PRICE_MISSING, whose metadata `missing` says what the card has no price for.
    Refuses with INVALID_FIELD a provider's cost where the card has prices of its own, and a price beyond what one
    operation may move.
    """
    found = _found(usage, card)
    entry = found.entry
    if entry.provider_cost:
        if usage.provider_cost_e18 is None:
            raise no_price(usage, card, entry, "provider_cost_usd")
        prompt_tier = 0
        lines = [PricedLine(line.measure, line.quantity, 0) for line in usage.lines]
    else:
        if usage.provider_cost_e18 is not None:
            raise invalid_field(
                "usage.provider_cost_usd", f"the rate card has prices of its own for {usage.provider} {usage.model}"
            )
        column = _column_at(found.columns, time_us)
        prompt_tier, prices = column.prices_of(usage.prompt_tokens) if column.prompt_tiers else (0, column.prices)
        try:
            lines = [PricedLine(measure, quantity, prices[measure].usd_e18) for measure, quantity in usage.lines]
        except KeyError:
            unpriced = ", ".join(line.measure.word for line in usage.lines if line.measure not in prices)
            raise no_price(usage, card, entry, unpriced) from None
    priced = Price(
        card.version,
        entry.model,
        found.service_tier,
        prompt_tier,
        tuple(lines),
        usage.provider_cost_e18,
        found.markup_ppm,
        time_basis,
    )
    if priced.amount_microcredits > AMOUNT_MAX:
        raise invalid_field(
            "usage.lines", f"cost {priced.amount_microcredits} microcredits; one operation moves at most {AMOUNT_MAX}"
        )
    return priced


class _Found(NamedTuple):
    """What the names of a usage find on a card."""

    entry: Entry
    columns: Sequence[Column]
    """Those for its tier and attributes. None where the provider's own cost is the price."""
    service_tier: str
    markup_ppm: int


def _found(usage: Usage, card: RateCard) -> _Found:
    """Refuses as `find_entry` and `find_column`. What was refused is looked for anew each time."""
    names = (usage.provider, usage.model, usage.service_tier, usage.attributes)
    known: _Found | None = card.remembered.get(names)
    if known is None:
        entry = find_entry(usage, card).entry
        columns = () if entry.provider_cost else _columns(usage, card, entry)
        known = _Found(entry, columns, card.service_tier(usage.service_tier), card.markup_of(entry))
        if len(card.remembered) >= NAMES_REMEMBERED_MAX:
            card.remembered.clear()
        card.remembered[names] = known
    return known


def find_entry(usage: Usage, card: RateCard) -> Match:
    """Refuses with UNKNOWN_MODEL where the card has no entry for that model of that provider."""
    match = card.find(usage.provider, usage.model)
    if match is None:
        raise unknown_model(usage.provider, usage.model, card.version)
    return match


def find_column(usage: Usage, card: RateCard, entry: Entry, time_us: int) -> Column:
    """The column for the usage's tier, attributes and hour. Refuses with PRICE_MISSING, naming what no column is
    for."""
    return _column_at(_columns(usage, card, entry), time_us)


def _columns(usage: Usage, card: RateCard, entry: Entry) -> list[Column]:
    tier = card.service_tier(usage.service_tier)
    of_tier = [column for column in entry.columns if column.service_tier == tier]
    if not of_tier:
        raise no_price(usage, card, entry, f"service_tier {usage.service_tier or 'standard'}")
    asked = tuple(pair for pair in usage.attributes if pair not in entry.neutral_attributes)
    with_attributes = [column for column in of_tier if column.attributes == asked]
    if not with_attributes:
        priced = {pair for column in of_tier for pair in column.attributes}
        unpriced = [pair for pair in asked if pair not in priced] or asked
        named = " ".join(f"attribute {name}={value}" for name, value in unpriced)
        raise no_price(usage, card, entry, named or "a call without attributes")
    return with_attributes


def _column_at(columns: Sequence[Column], time_us: int) -> Column:
    """The one that holds at a moment, or the one for the rest of the week."""
    first = columns[0]
    if len(columns) == 1 and not first.hours:
        return first
    for column in columns:
        if any(hours.hold(time_us) for hours in column.hours):
            return column
    return next(column for column in columns if not column.hours)


def no_price(usage: Usage, card: RateCard, entry: Entry, missing: str) -> Refusal:
    """PRICE_MISSING, of that entry of that card."""
    named = {
        "provider": usage.provider,
        "model": usage.model,
        "model_pattern": entry.model,
        "rate_card_version": card.version,
    }
    return price_missing(named, missing)
