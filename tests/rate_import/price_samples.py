"""A sample of the libraries' data, and what the libraries say that usages of its models cost. `record_samples.py` makes
the files again."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from billing_service.domain.catalogue.exact_decimals import PRICE_DECIMALS, decimal_text
from billing_service.domain.catalogue.usage_kinds import measure_of_word
from billing_service.domain.spending.pricing import TimeBasis, price
from billing_service.domain.spending.usage import usage_of
from billing_service.rate_import.genai_prices import import_genai_prices
from billing_service.rate_import.litellm import import_litellm

HERE = Path(__file__).parent
LITELLM_VERSION, GENAI_VERSION = "1.110.2", "0.2.3"
AS_OF = date(2026, 11, 30)
NOW_S = int(datetime(2026, 11, 30, 16, tzinfo=UTC).timestamp())
"""A Monday."""


TOKENS = {
    "litellm_provider": "p",
    "mode": "chat",
    "input_cost_per_token": Decimal("0.000001"),
    "output_cost_per_token": Decimal("0.000002"),
}
"""A plain entry of litellm's map."""


def shown(prices):
    """Prices by the word of their measure: USD as text, and the fall-back."""
    return {
        measure.word: (decimal_text(price.usd_e18, PRICE_DECIMALS), price.fallback) for measure, price in prices.items()
    }


def loaded(name):
    """A file of the sample, its numbers as decimals."""
    return json.loads((HERE / name).read_text(encoding="utf-8"), parse_float=Decimal)


def litellm_report(price_map):
    return import_litellm(
        price_map,
        library_version=LITELLM_VERSION,
        card_version="litellm",
        effective_time_us=NOW_S * 1_000_000,
        year=2026,
    )


def imported(entry, key="p/m"):
    """The outcome of one entry of litellm's map, and the card's entries."""
    report = litellm_report({key: entry})
    return report.outcomes[key], report.card.entries


def genai_report(providers, units):
    return import_genai_prices(
        providers,
        units,
        library_version=GENAI_VERSION,
        card_version="genai",
        effective_time_us=NOW_S * 1_000_000,
        as_of=AS_OF,
    )


def sample_reports():
    """The reports of both importers on the sample."""
    genai = loaded("genai_sample.json")
    return {
        "litellm": litellm_report(loaded("litellm_sample.json")),
        "genai-prices": genai_report(genai["providers"], genai["units"]),
    }


def priced(card, case):
    """Our price of a case."""
    lines = [
        (measure.kind, measure.variant, quantity)
        for word, quantity in case["lines"].items()
        for measure in [measure_of_word(word)]
    ]
    usage = usage_of(
        provider=case["provider"],
        model=case["model"],
        lines=lines,
        service_tier=case.get("service_tier", ""),
        attributes=case.get("attributes"),
    )
    return price(usage, card, case.get("time_s", NOW_S) * 1_000_000, TimeBasis.RECEIVED)


def cost_usd(found):
    """The exact cost of a price before markup, in USD."""
    return sum((Fraction(line.cost_usd) for line in found.lines), Fraction(0))
