"""From the text of a card file to a card, or to the list of everything that is wrong with it. `docs/rate-cards.md`
shows the format."""

from typing import Final

from billing_service.domain.catalogue.card_values import DuplicateNameError, Values, parsed
from billing_service.domain.catalogue.moments import WEEK_DAYS, Hours, clock_s, moment_us
from billing_service.domain.catalogue.rate_card_checks import CardInvalid, checked
from billing_service.domain.catalogue.rate_card_text import FORMAT
from billing_service.domain.catalogue.rate_cards import (
    MARKUP_PPM_DEFAULT,
    Alias,
    Attributes,
    Column,
    Entry,
    Markup,
    PromptTier,
    RateCard,
    Source,
    UnitPrice,
)
from billing_service.domain.catalogue.usage_kinds import Measure

MARKUP_PPM_MAX: Final = 100_000_000
"""A hundredfold on top: more is a mistake in the unit."""
ABOVE_TOKENS_MAX: Final = 10**12
PRICE_NAMES: Final = {"usd": 1, "per_million_usd": 1_000_000}
"""How many units each way of writing a price is for."""


def read_card(text: str) -> RateCard:
    """The card of a file's text. Raises CardInvalid with every problem, each under its path:
    `entries[3].columns[0].prices.images.usd`."""
    try:
        values = parsed(text)
    except DuplicateNameError as error:
        raise CardInvalid([f"file: {error}"]) from None
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise CardInvalid([f"file: not JSON: {error}"]) from None
    problems: list[str] = []
    card = _card(Values("", values, problems))
    if problems:
        raise CardInvalid(problems)
    return checked(card)


def _card(values: Values) -> RateCard:
    written_as = values.whole("format", least=1, most=1_000_000)
    if written_as != FORMAT:
        values.complain("format", f"must be {FORMAT}: another version of the service wrote this")
    source = values.object("source")
    tiers = values.object("service_tier_aliases")
    card = RateCard(
        version=values.text("version", required=True),
        effective_time_us=_moment_us(values),
        entries=tuple(_entry(entry) for entry in values.objects("entries")),
        aliases=tuple(_alias(alias) for alias in values.objects("aliases")),
        markup_ppm=values.whole("markup_ppm", least=0, most=MARKUP_PPM_MAX, default=MARKUP_PPM_DEFAULT),
        markups=tuple(_markup(markup) for markup in values.objects("markups")),
        service_tier_aliases={name: tiers.text(name, required=True) for name in tiers.names()},
        source=Source(source.text("name", required=True), source.text("version")) if values.has("source") else Source(),
    )
    source.finish()
    values.finish()
    return card


def _moment_us(values: Values) -> int:
    text = values.text("effective_time", required=True)
    try:
        return moment_us(text)
    except ValueError as error:
        if text:
            values.complain("effective_time", str(error))
        return 0


def _markup(values: Values) -> Markup:
    markup_ppm = values.whole("markup_ppm", least=0, most=MARKUP_PPM_MAX)
    markup = Markup(values.text("provider", required=True), values.text("model"), markup_ppm)
    values.finish()
    return markup


def _alias(values: Values) -> Alias:
    provider = values.text("provider", required=True)
    alias = Alias(
        provider,
        values.text("name", required=True),
        values.text("to_provider") or provider,
        values.text("to_model", required=True),
    )
    values.finish()
    return alias


def _entry(values: Values) -> Entry:
    neutral = values.object("neutral_attributes")
    entry = Entry(
        provider=values.text("provider", required=True),
        model=values.text("model", required=True),
        columns=tuple(_column(column) for column in values.objects("columns")),
        neutral_attributes=tuple(sorted((name, value) for name in neutral.names() for value in neutral.texts(name))),
        provider_cost=values.flag("provider_cost"),
    )
    values.finish()
    return entry


def _column(values: Values) -> Column:
    attributes = values.object("attributes")
    named: Attributes = tuple(sorted((name, attributes.text(name, required=True)) for name in attributes.names()))
    column = Column(
        prices=_prices(values.object("prices", required=True)),
        service_tier=values.text("service_tier"),
        attributes=named,
        hours=tuple(_hours(hours) for hours in values.objects("hours")),
        prompt_tiers=tuple(_prompt_tier(tier) for tier in values.objects("prompt_tiers")),
    )
    values.finish()
    return column


def _prompt_tier(values: Values) -> PromptTier:
    above_tokens = values.whole("above_tokens", least=1, most=ABOVE_TOKENS_MAX)
    tier = PromptTier(above_tokens, _prices(values.object("prices", required=True)))
    values.finish()
    return tier


def _prices(values: Values) -> dict[Measure, UnitPrice]:
    return {measure: _price(price) for measure, price in values.measures()}


def _price(values: Values) -> UnitPrice:
    written = [name for name in PRICE_NAMES if values.has(name)]
    if len(written) != 1:
        values.complain("", f"needs one of {' and '.join(PRICE_NAMES)}")
    usd_e18 = [values.price_e18(name, per=PRICE_NAMES[name]) for name in written]
    price = UnitPrice(usd_e18[0] if usd_e18 else 0, values.text("fallback"))
    values.finish()
    return price


def _hours(values: Values) -> Hours:
    from_s, until_s = _clock(values, "from"), _clock(values, "until")
    written = values.texts("days")
    days = [WEEK_DAYS.index(day) for day in written if day in WEEK_DAYS]
    if values.has("days") and not len(set(days)) == len(written) > 0:
        values.complain("days", f"must be some of {', '.join(WEEK_DAYS)}, each once")
    if from_s is not None and until_s is not None and from_s >= until_s:
        values.complain("until", "must be later than from; what goes on after midnight is a window of the next day")
    values.finish()
    return Hours(from_s or 0, until_s or 0, tuple(sorted(set(days))) if days else tuple(range(len(WEEK_DAYS))))


def _clock(values: Values, name: str) -> int | None:
    text = values.text(name, required=True)
    try:
        return clock_s(text)
    except ValueError as error:
        if text:
            values.complain(name, str(error))
        return None
