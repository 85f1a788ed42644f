"""Why a charge is what it is, as the bytes that its transaction keeps for ever, and back. The same charge is always the
same bytes.

A priced charge keeps its usage and its price. A charge whose usage had no price keeps the usage, and what the card
lacked. A charge of a plain amount has a record only where less was taken than was asked for: then the amount that was
asked for. So what was not collected is known of every charge:

    uncollected = amount of the record - what was charged

A session that is closed after its hold's end is charged twice, for one usage. The second record has the price of the
whole usage, and what the first charge had taken `before`. Its own amount is the rest.
"""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from billing_service.domain.catalogue.exact_decimals import decimal_text, scaled
from billing_service.domain.catalogue.usage_kinds import UsageKind, measure
from billing_service.domain.ledger.amounts import AMOUNT_MAX
from billing_service.domain.spending.pricing import Price, PricedLine, TimeBasis
from billing_service.domain.spending.usage import PROVIDER_COST_DECIMALS, Measurement, Usage, UsageLine

FORMAT: Final = 1
"""Readers keep every format that was ever written."""


class PriceDamagedError(ValueError):
    """The bytes are no record, or its amount does not follow from its lines."""


class PricedUsage(NamedTuple):
    """A usage and its price: what a charge of any kind is given."""

    usage: Usage
    price: Price


class UnpricedUsage(NamedTuple):
    """A usage that happened and was charged, though the card has no price for it."""

    usage: Usage
    rate_card_version: str
    """The card that was asked."""
    missing: tuple[str, ...]
    """What it lacks, in the words of a card file: `output_tokens`, `service_tier flex`, or `model`."""


class ChargeRecord(NamedTuple):
    """Why a charge is what it is."""

    amount: int
    """Microcredits that all of it would have cost, 0 to AMOUNT_MAX, less `before`."""
    priced: PricedUsage | None
    """None where the caller named the amount, or the card had no price."""
    unpriced: UnpricedUsage | None = None
    """A usage without a price. Then `amount` was charged in its stead."""
    before: int = 0
    """Microcredits that another charge of the same session had taken."""

    @property
    def rate_card_version(self) -> str:
        """The card that was asked; empty where the caller named the amount."""
        if self.unpriced is not None:
            return self.unpriced.rate_card_version
        return "" if self.priced is None else self.priced.price.rate_card_version

    @property
    def part(self) -> Fraction:
        """The part of its usage that this is the charge of: 1 unless something was charged before."""
        return Fraction(self.amount, self.amount + self.before) if self.before else Fraction(1)


def encode_price(priced: PricedUsage, before: int = 0) -> bytes:
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
    charged_before = f'"before":{before},' if before else ""
    return (
        f'{{"above":{price.prompt_tier},"amount":{price.amount_microcredits},"attributes":[{attributes}],'
        f'{charged_before}"card":{text(price.rate_card_version)},"format":{FORMAT},"lines":[{lines}],"markup":{price.markup_ppm},'
        f'"measurement":{int(usage.measurement)},"model":{text(usage.model)},"occurred":{occurred},'
        f'"pattern":{text(price.model_pattern)},"provider":{text(usage.provider)},'
        f'"provider_cost":"{price.provider_cost_usd}","request":{text(usage.request_id)},'
        f'"service_tier":{text(usage.service_tier)},"tier":{text(price.service_tier)},"time":{int(price.time_basis)}}}'
    ).encode()


def encode_unpriced(unpriced: UnpricedUsage, amount: int, before: int = 0) -> bytes:
    """The record of a usage without a price, for which `amount` microcredits are charged, those `before` included."""
    usage, card, missing = unpriced
    cost_e18 = usage.provider_cost_e18
    values = {
        "amount": amount,
        "attributes": usage.attributes,
        "card": card,
        "format": FORMAT,
        "lines": [(int(line.measure.kind), line.measure.variant, line.quantity) for line in usage.lines],
        "measurement": int(usage.measurement),
        "missing": missing,
        "model": usage.model,
        "occurred": usage.occur_time_us,
        "provider": usage.provider,
        "provider_cost": "" if cost_e18 is None else decimal_text(cost_e18, PROVIDER_COST_DECIMALS),
        "request": usage.request_id,
        "service_tier": usage.service_tier,
    } | ({"before": before} if before else {})
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def card_mark(rate_card_version: str) -> bytes:
    """What is in every record of a price by that card, and in no other: in texts, quotes are escaped."""
    return f'"card":{encode_basestring(rate_card_version)}'.encode()


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
        elif "missing" in values:
            amount, before, unpriced = values["amount"], _before(values), _unpriced(values)
            found = ChargeRecord(amount - before, None, unpriced, before)
            again = encode_unpriced(unpriced, amount, before)
        else:
            priced, before = _priced(values), _before(values)
            found, again = ChargeRecord(values["amount"] - before, priced, None, before), encode_price(priced, before)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PriceDamagedError(f"no price of format {FORMAT}: {error!r}") from None
    if again != record:
        raise PriceDamagedError("the amount does not follow from the lines")
    return found


def _before(values: Mapping[str, Any]) -> int:
    """What another charge had taken. Amounts are whole numbers."""
    amount, before = values["amount"], values.get("before", 0)
    if type(amount) is not int or type(before) is not int or not 0 <= before <= amount <= AMOUNT_MAX:
        raise ValueError(f"{before!r} of {amount!r} was charged before")
    return before


def _unpriced(values: Mapping[str, Any]) -> UnpricedUsage:
    cost = values["provider_cost"]
    usage = Usage(
        provider=values["provider"],
        model=values["model"],
        lines=tuple(UsageLine(measure(UsageKind(kind), name), _whole(count)) for kind, name, count in values["lines"]),
        service_tier=values["service_tier"],
        attributes=tuple((name, value) for name, value in values["attributes"]),
        provider_cost_e18=scaled(cost) if cost else None,
        occur_time_us=None if values["occurred"] is None else _whole(values["occurred"]),
        request_id=values["request"],
        measurement=Measurement(values["measurement"]),
    )
    missing = tuple(values["missing"])
    if not missing or not all(isinstance(word, str) for word in missing):
        raise ValueError(f"{missing!r} is missing")
    return UnpricedUsage(usage, values["card"], missing)


def _whole(value: Any) -> int:
    """Raises TypeError."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


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
