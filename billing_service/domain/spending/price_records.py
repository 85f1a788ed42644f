"""Why a charge is what it is, as the bytes that its transaction keeps for ever, and back. The same charge is always the
same bytes.

A priced charge keeps its usage and its price. A charge of a plain amount has a record only where less was taken than
was asked for: then the amount that was asked for. So what was not collected is known of every charge:

    uncollected = amount of the record - what was charged
"""

import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from billing_service.domain.catalogue.exact_decimals import scaled
from billing_service.domain.catalogue.usage_kinds import UsageKind, measure
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis
from billing_service.domain.spending.usage import Measurement, Usage, UsageLine

FORMAT: Final = 1
"""Readers keep every format that was ever written."""


class PriceDamagedError(ValueError):
    """The bytes are no record, or its amount does not follow from its lines."""


class PricedUsage(NamedTuple):
    """A usage and its price: what a charge of any kind is given."""

    usage: Usage
    price: Price


class ChargeRecord(NamedTuple):
    """Why a charge is what it is."""

    amount: int
    """Microcredits that all of it would have cost, 0 to AMOUNT_MAX."""
    priced: PricedUsage | None
    """None where the caller named the amount."""


def encode_price(priced: PricedUsage) -> bytes:
    """UTF-8 JSON with sorted names and without spaces. Costs are not in it: each is quantity x unit price. The amount
    is, as a check."""
    usage, price = priced
    text = encode_basestring
    attributes = ",".join([f"[{text(name)},{text(value)}]" for name, value in usage.attributes])
    lines = ",".join(
        [
            f'[{int(line.measure.kind)},"{line.measure.variant}",{line.quantity},"{line.unit_price_usd}"]'
            for line in price.lines
        ]
    )
    occurred = "null" if usage.occur_time_us is None else usage.occur_time_us
    return (
        f'{{"above":{price.prompt_tier},"amount":{price.amount_microcredits},"attributes":[{attributes}],'
        f'"card":{text(price.rate_card_version)},"format":{FORMAT},"lines":[{lines}],"markup":{price.markup_ppm},'
        f'"measurement":{int(usage.measurement)},"model":{text(usage.model)},"occurred":{occurred},'
        f'"pattern":{text(price.model_pattern)},"provider":{text(usage.provider)},'
        f'"provider_cost":"{price.provider_cost_usd}","request":{text(usage.request_id)},'
        f'"service_tier":{text(usage.service_tier)},"tier":{text(price.service_tier)},"time":{int(price.time_basis)}}}'
    ).encode()


def encode_asked(amount: int) -> bytes:
    """The record of a plain amount of which less was taken."""
    return f'{{"asked":{amount},"format":{FORMAT}}}'.encode()


def decode_record(record: bytes) -> ChargeRecord:
    """The charge of a record. Raises PriceDamagedError for anything that was not written here."""
    try:
        values = json.loads(record)
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']!r}")  # noqa: TRY301 - as any other damage
        if "asked" in values:
            asked = values["asked"]
            if type(asked) is not int or not 0 < asked <= AMOUNT_MAX:
                raise ValueError(f"asked for {asked!r}")  # noqa: TRY301
            found, again = ChargeRecord(asked, None), encode_asked(asked)
        else:
            priced = _priced(values)
            found, again = ChargeRecord(values["amount"], priced), encode_price(priced)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PriceDamagedError(f"no price of format {FORMAT}: {error!r}") from None
    if again != record:
        raise PriceDamagedError("the amount does not follow from the lines")
    return found


def _priced(values: Mapping[str, Any]) -> PricedUsage:
    lines = tuple(_line(line) for line in values["lines"])
    provider_cost_e18 = scaled(values["provider_cost"]) if values["provider_cost"] else None
    usage = Usage(
        provider=values["provider"],
        model=values["model"],
        lines=tuple(UsageLine(line.measure, line.quantity) for line in lines),
        service_tier=values["service_tier"],
        attributes=tuple((name, value) for name, value in values["attributes"]),
        provider_cost_e18=provider_cost_e18,
        occur_time_us=values["occurred"],
        request_id=values["request"],
        measurement=Measurement(values["measurement"]),
    )
    price = Price(
        rate_card_version=values["card"],
        model_pattern=values["pattern"],
        service_tier=values["tier"],
        prompt_tier=values["above"],
        lines=lines,
        provider_cost_e18=provider_cost_e18,
        markup_ppm=values["markup"],
        time_basis=TimeBasis(values["time"]),
    )
    return PricedUsage(usage, price)


def _line(values: Sequence[Any]) -> PricedLine:
    kind, variant, quantity, unit_price_usd = values
    return PricedLine(measure(UsageKind(kind), variant), quantity, scaled(unit_price_usd))
