"""From a card to the text of its file: JSON that is the same for the same card, with an entry to a line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from billing_service.domain.catalogue.exact_decimals import PRICE_DECIMALS, decimal_text
from billing_service.domain.catalogue.moments import WEEK_DAYS, Hours, clock_text, moment_text
from billing_service.domain.catalogue.rate_cards import Alias, Column, Entry, Markup, Prices, RateCard

FORMAT: Final = 1


def card_text(card: RateCard) -> str:
    """The card's file. Entries, aliases and markups are in the order of their names, so that equal cards have equal
    texts."""
    head: dict[str, Any] = {
        "format": FORMAT,
        "version": card.version,
        "effective_time": moment_text(card.effective_time_us),
        "source": _without_empty({"name": card.source.name, "version": card.source.version}),
        "markup_ppm": card.markup_ppm,
        "service_tier_aliases": dict(card.service_tier_aliases),
    }
    lines = [f"{_json(name)}: {_json(value)}" for name, value in head.items()]
    for name, rows in (("markups", _markups(card)), ("aliases", _aliases(card)), ("entries", _entries(card))):
        lines.append(f"{_json(name)}: [{','.join(chr(10) + _json(row) for row in rows)}]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(", ", ": "))


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", [], {}, False)}


def _markups(card: RateCard) -> Iterator[object]:
    def named(markup: Markup) -> tuple[str, str]:
        return markup.provider, markup.model

    for markup in sorted(card.markups, key=named):
        yield _without_empty({"provider": markup.provider, "model": markup.model}) | {"markup_ppm": markup.markup_ppm}


def _aliases(card: RateCard) -> Iterator[object]:
    def named(alias: Alias) -> tuple[str, str]:
        return alias.provider, alias.name

    for alias in sorted(card.aliases, key=named):
        to_provider = alias.to_provider if alias.to_provider != alias.provider else ""
        yield _without_empty(
            {"provider": alias.provider, "name": alias.name, "to_provider": to_provider, "to_model": alias.to_model}
        )


def _entries(card: RateCard) -> Iterator[object]:
    def named(entry: Entry) -> tuple[str, str]:
        return entry.provider, entry.model

    for entry in sorted(card.entries, key=named):
        neutral: dict[str, list[str]] = {}
        for name, value in entry.neutral_attributes:
            neutral.setdefault(name, []).append(value)
        yield _without_empty(
            {
                "provider": entry.provider,
                "model": entry.model,
                "provider_cost": entry.provider_cost,
                "neutral_attributes": neutral,
                "columns": [_column(column) for column in entry.columns],
            }
        )


def _column(column: Column) -> object:
    tiers = [{"above_tokens": tier.above_tokens, "prices": _prices(tier.prices)} for tier in column.prompt_tiers]
    values = {
        "service_tier": column.service_tier,
        "attributes": dict(column.attributes),
        "hours": [_hours(hours) for hours in column.hours],
        "prompt_tiers": tiers,
    }
    return _without_empty(values) | {"prices": _prices(column.prices)}


def _hours(hours: Hours) -> object:
    window: dict[str, Any] = {"from": clock_text(hours.from_s), "until": clock_text(hours.until_s)}
    return window if len(hours.days) == len(WEEK_DAYS) else window | {"days": [WEEK_DAYS[day] for day in hours.days]}


def _prices(prices: Prices) -> object:
    def ordered() -> Iterable[tuple[str, object]]:
        for measure, price in prices.items():
            yield (
                measure.word,
                _without_empty({"usd": decimal_text(price.usd_e18, PRICE_DECIMALS), "fallback": price.fallback}),
            )

    return dict(ordered())
