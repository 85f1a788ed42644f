"""`billing rates quote`: what a usage costs now, as the service prices it."""

from datetime import datetime
from typing import Annotated

import typer
from billing_client import BillingClient, Usage, UsageKind, UsageLine
from google.protobuf.timestamp_pb2 import Timestamp
from prepaid.billing.v1.usage_pb2 import MarkupSource, ModelMatch, PriceLine, QuoteUsageResponse, TimeBasis

from billing_service.cli.connection import AsJson, calls_service
from billing_service.cli.display import show_fields, show_json, shown_enum
from billing_service.cli.rates import LINES, percent
from billing_service.cli.times import read_past
from billing_service.cli.usage_options import (
    Attributes,
    CachedInputTokens,
    InputTokens,
    Lines,
    Model,
    OutputTokens,
    Provider,
    ProviderCost,
    ReasoningTokens,
    ServiceTier,
    pairs,
    usage_lines,
)


@calls_service
def quote_price(  # noqa: PLR0917 - options, given by name on the command line
    client: BillingClient,
    provider: Provider,
    model: Model,
    input_tokens: InputTokens = 0,
    cached_input_tokens: CachedInputTokens = 0,
    output_tokens: OutputTokens = 0,
    reasoning_tokens: ReasoningTokens = 0,
    line: Lines = None,
    service_tier: ServiceTier = "",
    attribute: Attributes = None,
    provider_cost_usd: ProviderCost = "",
    at: Annotated[
        datetime | None,
        typer.Option("--at", parser=read_past, metavar="TIME", help="When the call was made: at most 24 hours ago."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a usage costs by the card in force, line by line. Nothing moves."""
    counts = {
        "input_tokens": input_tokens,
        "cached_input_tokens": cached_input_tokens,
        "output_tokens": output_tokens,
        "reasoning_tokens": reasoning_tokens,
    }
    occurred = None
    if at is not None:
        occurred = Timestamp()
        occurred.FromDatetime(at)
    usage = Usage(
        provider=provider,
        model=model,
        service_tier=service_tier,
        attributes=pairs(attribute, "--attribute"),
        lines=[
            UsageLine(kind=UsageKind.ValueType(kind), variant=variant, quantity=quantity)
            for kind, variant, quantity in usage_lines(counts, line)
        ],
        occur_time=occurred,
        provider_cost_usd=provider_cost_usd,
    )
    quoted = client.quote_usage(usage=usage)
    if as_json:
        show_json(quoted)
        return
    _show(provider, model, quoted)


def _show(provider: str, model: str, quoted: QuoteUsageResponse) -> None:
    price, why = quoted.price, quoted.explanation
    column = " ".join(
        [
            price.service_tier or "standard",
            *(f"{name}={value}" for name, value in sorted(why.attributes.items())),
            *why.hours,
        ]
    )
    fields = [
        ("rate card", price.rate_card_version),
        ("entry", price.model_pattern),
        ("found by", shown_enum(ModelMatch, why.model_match)),
        ("column", "the provider's own cost" if price.provider_cost_usd else column),
        ("prompt tokens", f"{why.prompt_tokens:,}"),
        ("prompt tier", f"above {price.prompt_tier:,}" if price.prompt_tier else ""),
        ("provider's cost", price.provider_cost_usd),
        ("markup", f"{percent(price.markup_ppm)}, of the {shown_enum(MarkupSource, why.markup_source)}"),
        ("priced at", "the time of the call" if price.time_basis == TimeBasis.TIME_BASIS_OCCURRED else "now"),
        ("exact microcredits", price.exact_total),
        ("microcredits", f"{price.amount_microcredits:,}"),
    ]
    show_fields(f"{provider} {model}", [field for field in fields if field[1]])
    fallbacks = {(fallback.kind, fallback.variant): fallback.priced_as for fallback in why.fallbacks}
    LINES.show("lines", [_cells(line, fallbacks.get((line.kind, line.variant), "")) for line in price.lines])


def _cells(line: PriceLine, fallback: str) -> tuple[object, ...]:
    word = shown_enum(UsageKind, line.kind)
    return (
        f"{word}:{line.variant}" if line.variant else word,
        line.quantity,
        line.unit_price_usd,
        line.cost_usd,
        fallback,
    )
