"""A price as the bytes that a transaction keeps for ever, and back. The same price is always the same bytes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from billing_service.domain.catalogue.exact_decimals import scaled
from billing_service.domain.catalogue.usage_kinds import UsageKind, measure
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis

FORMAT: Final = 1
"""Readers keep every format that was ever written."""


class PriceDamagedError(ValueError):
    """The bytes are no price, or its amount does not follow from its lines."""


def encode_price(price: Price) -> bytes:
    """UTF-8 JSON with sorted names and without spaces. Costs are not in it: each is quantity x unit price. The amount
    is, as a check."""
    values: dict[str, Any] = {
        "format": FORMAT,
        "card": price.rate_card_version,
        "pattern": price.model_pattern,
        "tier": price.service_tier,
        "above": price.prompt_tier,
        "lines": [
            [line.measure.kind, line.measure.variant, line.quantity, line.unit_price_usd] for line in price.lines
        ],
        "provider_cost": price.provider_cost_usd,
        "markup": price.markup_ppm,
        "time": price.time_basis,
        "amount": price.amount_microcredits,
    }
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def decode_price(record: bytes) -> Price:
    """The price of a record. Raises PriceDamagedError for anything that `encode_price` did not write."""
    try:
        values = json.loads(record)
        price = _price(values)
        amount = values["amount"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PriceDamagedError(f"no price of format {FORMAT}: {error!r}") from None
    if price.amount_microcredits != amount or encode_price(price) != record:
        raise PriceDamagedError("the amount does not follow from the lines")
    return price


def _price(values: Mapping[str, Any]) -> Price:
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']!r}")
    return Price(
        rate_card_version=values["card"],
        model_pattern=values["pattern"],
        service_tier=values["tier"],
        prompt_tier=values["above"],
        lines=tuple(_line(line) for line in values["lines"]),
        provider_cost_e18=scaled(values["provider_cost"]) if values["provider_cost"] else None,
        markup_ppm=values["markup"],
        time_basis=TimeBasis(values["time"]),
    )


def _line(values: Sequence[Any]) -> PricedLine:
    kind, variant, quantity, unit_price_usd = values
    return PricedLine(measure(UsageKind(kind), variant), quantity, scaled(unit_price_usd))
