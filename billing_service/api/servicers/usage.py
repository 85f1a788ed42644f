"""BillingService, usage: what it costs and why."""

from functools import lru_cache
from types import MappingProxyType
from typing import Final

from prepaid.billing.v1 import usage_pb2

from billing_service.api import validation
from billing_service.api.pipeline import Call
from billing_service.commands.environment import Environment
from billing_service.commands.spending.quote_usage import quote_usage
from billing_service.domain.catalogue.exact_decimals import price_text
from billing_service.domain.catalogue.rate_card_differences import hours_words
from billing_service.domain.catalogue.rate_cards import Rule
from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.explanations import Explanation
from billing_service.domain.spending.price_records import UnpricedUsage
from billing_service.domain.spending.pricing import Price, TimeBasis
from billing_service.domain.spending.usage import Measurement, Usage, usage_of

_KINDS: Final = MappingProxyType({kind: usage_pb2.UsageKind.Value(f"USAGE_KIND_{kind.name}") for kind in UsageKind})
_TIMES: Final = MappingProxyType({basis: usage_pb2.TimeBasis.Value(f"TIME_BASIS_{basis.name}") for basis in TimeBasis})
_MATCHES: Final = MappingProxyType({rule: usage_pb2.ModelMatch.Value(f"MODEL_MATCH_{rule.name}") for rule in Rule})
_MARKUPS: Final = MappingProxyType(
    {word: usage_pb2.MarkupSource.Value(f"MARKUP_SOURCE_{word.upper()}") for word in ("card", "provider", "entry")}
)


def usage_of_message(message: usage_pb2.Usage, field: str = "usage") -> Usage:
    """The usage of a request. Raises INVALID_FIELD, naming the field under `field`."""
    return usage_of(
        provider=message.provider,
        model=message.model,
        lines=[(line.kind, line.variant, line.quantity) for line in message.lines],
        service_tier=message.service_tier,
        attributes=dict(message.attributes) if message.attributes else None,
        provider_cost_usd=message.provider_cost_usd,
        occur_time_us=validation.timestamp_us(f"{field}.occur_time", message.occur_time)
        if message.HasField("occur_time")
        else None,
        request_id=message.request_id,
        measurement=message.measurement or Measurement.MEASURED,
        field=field,
    )


def price_message(price: Price) -> usage_pb2.Price:
    """What differs from call to call is filled in; the rest of it, prices of the card, is copied."""
    lines, cost = price.lines, price.provider_cost_usd
    message = usage_pb2.Price.FromString(
        _price_frame(
            *(price.rate_card_version, price.model_pattern, price.service_tier, price.prompt_tier),
            *(price.markup_ppm, price.time_basis),
            tuple([(measure, unit_price_e18) for measure, _, unit_price_e18 in lines]),
        )
    )
    for line, shown in zip(lines, message.lines, strict=True):
        shown.quantity = line.quantity
        shown.cost_usd = line.cost_usd
    if cost:
        message.provider_cost_usd = cost
    message.exact_total = price.exact_total
    message.amount_microcredits = price.amount_microcredits
    return message


@lru_cache(maxsize=1_024)
def _price_frame(  # noqa: PLR0917 - all that a card says of a price
    rate_card_version: str,
    model_pattern: str,
    service_tier: str,
    prompt_tier: int,
    markup_ppm: int,
    time_basis: TimeBasis,
    unit_prices: tuple[tuple[Measure, int], ...],
) -> bytes:
    """A Price without what differs from call to call."""
    return usage_pb2.Price(
        rate_card_version=rate_card_version,
        model_pattern=model_pattern,
        service_tier=service_tier,
        prompt_tier=prompt_tier,
        lines=[
            usage_pb2.PriceLine(
                kind=_KINDS[measure.kind], variant=measure.variant, unit_price_usd=price_text(unit_price_e18)
            )
            for measure, unit_price_e18 in unit_prices
        ],
        markup_ppm=markup_ppm,
        time_basis=_TIMES[time_basis],
    ).SerializeToString()


def unpriced_message(unpriced: UnpricedUsage, amount: int) -> usage_pb2.Price:
    """Of a usage without a price, for which `amount` microcredits are charged."""
    usage, version, missing = unpriced
    message = usage_pb2.Price(rate_card_version=version, service_tier=usage.service_tier, missing=missing)
    for line in usage.lines:
        message.lines.add(kind=_KINDS[line.measure.kind], variant=line.measure.variant, quantity=line.quantity)
    message.amount_microcredits = amount
    return message


def explanation_message(explanation: Explanation) -> usage_pb2.PriceExplanation:
    column = explanation.column
    return usage_pb2.PriceExplanation(
        model_match=_MATCHES[explanation.match.rule],
        prompt_tokens=explanation.prompt_tokens,
        attributes=dict(column.attributes) if column else {},
        hours=[hours_words(hours) for hours in column.hours] if column else [],
        fallbacks=[
            usage_pb2.PriceFallback(
                kind=_KINDS[explained.line.measure.kind],
                variant=explained.line.measure.variant,
                priced_as=explained.unit_price.fallback,
            )
            for explained in explanation.fallbacks
            if explained.unit_price is not None
        ],
        markup_source=_MARKUPS[explanation.markup_from],
    )


class Quoting:
    """Methods of BillingService."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def quote_usage(self, request: usage_pb2.QuoteUsageRequest, call: Call) -> usage_pb2.QuoteUsageResponse:
        del call
        if not request.HasField("usage"):
            raise invalid_field("usage", "is required")
        quote = await quote_usage(self._environment, usage_of_message(request.usage))
        return usage_pb2.QuoteUsageResponse(
            price=price_message(quote.price), explanation=explanation_message(quote.explanation)
        )
