"""A usage as the text that a row keeps until its session ends, and back."""

import json

from billing_service.domain.catalogue.usage_kinds import UsageKind, measure
from billing_service.domain.spending.usage import Measurement, Usage, UsageLine


def encode_usage(usage: Usage | None) -> str:
    """JSON without spaces; empty for none."""
    if usage is None:
        return ""
    return json.dumps(
        [
            usage.provider,
            usage.model,
            [[int(line.measure.kind), line.measure.variant, line.quantity] for line in usage.lines],
            usage.service_tier,
            usage.attributes,
            usage.provider_cost_e18,
            usage.occur_time_us,
            usage.request_id,
            int(usage.measurement),
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def decode_usage(text: str) -> Usage | None:
    """What `encode_usage` wrote."""
    if not text:
        return None
    provider, model, lines, service_tier, attributes, cost, occurred, request_id, measurement = json.loads(text)
    return Usage(
        provider,
        model,
        tuple(UsageLine(measure(UsageKind(kind), variant), quantity) for kind, variant, quantity in lines),
        service_tier,
        tuple((name, value) for name, value in attributes),
        cost,
        occurred,
        request_id,
        Measurement(measurement),
    )
