"""BillingService, usage: what it costs and why."""

from types import MappingProxyType
from typing import Final

from prepaid.billing.v1 import usage_pb2

from billing_service.api import validation
from billing_service.api.pipeline import Call
from billing_service.commands.environment import Environment
from billing_service.commands.spending.quote_usage import quote_usage
from billing_service.domain.catalogue.rate_card_differences import hours_words
from billing_service.domain.catalogue.rate_cards import Rule
from billing_service.domain.catalogue.usage_kinds import UsageKind
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.explanations import Explanation
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
        attributes=dict(message.attributes),
        provider_cost_usd=message.provider_cost_usd,
        occur_time_us=validation.timestamp_us(f"{field}.occur_time", message.occur_time)
        if message.HasField("occur_time")
        else None,
        request_id=message.request_id,
        measurement=message.measurement or Measurement.MEASURED,
        field=field,
    )


def price_message(price: Price) -> usage_pb2.Price:
    message = usage_pb2.Price()
    message.rate_card_version = price.rate_card_version
    message.model_pattern = price.model_pattern
    message.service_tier = price.service_tier
    message.prompt_tier = price.prompt_tier
    for line in price.lines:
        added = message.lines.add()
        added.kind = _KINDS[line.measure.kind]
        if line.measure.variant:
            added.variant = line.measure.variant
        added.quantity = line.quantity
        added.unit_price_usd = line.unit_price_usd
        added.cost_usd = line.cost_usd
    message.provider_cost_usd = price.provider_cost_usd
    message.markup_ppm = price.markup_ppm
    message.exact_total = price.exact_total
    message.amount_microcredits = price.amount_microcredits
    message.time_basis = _TIMES[price.time_basis]
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
