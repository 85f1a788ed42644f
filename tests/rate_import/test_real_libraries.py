"""The whole lists of the real libraries: every model has a fate, every key a meaning, and each price is what the
library itself bills.

This runs where BILLING_TEST_RATES_PYTHON names an interpreter with litellm 1.110.2 and genai-prices 0.2.3, and says so
where it does not.
"""

import random
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

from billing_service.domain.catalogue.rate_card_files import read_card
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.usage_kinds import PROMPT_KINDS, Measure, UsageKind
from billing_service.rate_cards import load_rate_card
from billing_service.rate_import.built_in import built_in_card
from billing_service.rate_import.litellm import NO_MODELS
from billing_service.rate_import.litellm_names import named_by
from billing_service.rate_import.reports import Fate
from tests.rate_import.library_process import VARIABLE, interpreter, library_costs, library_data
from tests.rate_import.price_samples import (
    GENAI_VERSION,
    LITELLM_VERSION,
    NOW_S,
    cost_usd,
    genai_report,
    litellm_report,
    priced,
)

pytestmark = [
    pytest.mark.skipif(
        not interpreter(),
        reason=f"real price lists: NOT TESTED, {VARIABLE} names no interpreter with litellm and genai-prices",
    ),
    pytest.mark.timeout(600),
]

LITELLM_FATES = {Fate.IMPORTED: 4572, Fate.ALIAS: 98, Fate.DUPLICATE: 46, Fate.REFUSED: 66, Fate.UNPRICED: 94}
GENAI_FATES = {Fate.IMPORTED: 2117, Fate.ALIAS: 0, Fate.DUPLICATE: 0, Fate.REFUSED: 34, Fate.UNPRICED: 179}
LITELLM_REFUSALS = {
    "priced by the time of a reserved machine, not by what a request used": 28,
    "a size class of models, no model": 16,
    "its price has more than 18 decimals": 13,
    "a fee on top of the price of the model that it routes to": 3,
    "priced by the number of results that were asked for": 2,
    "priced by the length of each interval of a video": 2,
    "no model: prices of content policies": 1,
    "no price at the standard tier": 1,
}
RELATIVE = Fraction(1, 10**12)
"""litellm adds floats."""


@cache
def litellm():
    price_map, version = library_data("installed_litellm")
    if version != LITELLM_VERSION:
        pytest.skip(f"litellm {version} is installed, and its figures are not known here")
    return price_map, litellm_report(price_map)


@cache
def genai():
    providers, units, version = library_data("installed_genai_prices")
    if version != GENAI_VERSION:
        pytest.skip(f"genai-prices {version} is installed, and its figures are not known here")
    return genai_report(providers, units)


def test_every_model_of_litellm_s_map_has_one_fate():
    price_map, report = litellm()
    assert list(report.outcomes) == [key for key in price_map if key not in NO_MODELS]
    assert {fate: report.count(fate) for fate in Fate} == LITELLM_FATES
    assert sum(LITELLM_FATES.values()) == len(price_map) - len(NO_MODELS)
    assert {why: count for why, count, _ in report.reasons(Fate.REFUSED)} == LITELLM_REFUSALS


def test_every_model_of_genai_prices_has_one_fate():
    assert {fate: genai().count(fate) for fate in Fate} == GENAI_FATES


@pytest.mark.parametrize("report", [lambda: litellm()[1], genai], ids=["litellm", "genai-prices"])
def test_the_whole_card_is_written_and_read_and_has_no_wide_pattern(report):
    card = report().card
    text = card_text(card)
    assert card_text(read_card(text)) == text
    assert card.wide_patterns() == []


def test_the_built_in_card_is_what_is_made_of_litellm_s_map():
    made = built_in_card(litellm()[1].card)
    kept = load_rate_card()
    assert replace(made, version=kept.version, effective_time_us=kept.effective_time_us) == in_order(kept, made)


def in_order(card, other):
    """The card, its parts in the order of the other's: files have the order of names."""
    entries = {(entry.provider, entry.model): entry for entry in card.entries}
    aliases = {(alias.provider, alias.name): alias for alias in card.aliases}
    assert len(entries) == len(other.entries)
    assert len(aliases) == len(other.aliases)
    ordered = tuple(entries[entry.provider, entry.model] for entry in other.entries)
    return replace(card, entries=ordered, aliases=tuple(aliases[alias.provider, alias.name] for alias in other.aliases))


def usages(rng, entry, is_counted):
    """Two random usages for each column and prompt tier: (column, lines by word)."""
    for column in entry.columns:
        levels = [(0, column.prices), *((tier.above_tokens, tier.prices) for tier in column.prompt_tiers)]
        for number, (above, prices) in enumerate(levels):
            upper = levels[number + 1][0] if number + 1 < len(levels) else None
            counted = [measure for measure in prices if is_counted(measure)]
            for _ in range(2 if counted else 0):
                lines = {
                    measure: rng.randint(1, 50_000) for measure in rng.sample(counted, rng.randint(1, len(counted)))
                }
                prompt = [measure for measure in lines if measure.kind in PROMPT_KINDS]
                if above and prompt:
                    size = sum(lines[measure] for measure in prompt)
                    lines[prompt[0]] += max(
                        0, rng.choice([above + 1, rng.randint(above + 1, upper or above * 3)]) - size
                    )
                size = sum(lines[measure] for measure in prompt)
                if size > above - (not above) and (upper is None or size <= upper):
                    yield column, {measure.word: quantity for measure, quantity in lines.items()}


def moment_s(rng, entry, column):
    while True:
        time_s = NOW_S // 86_400 * 86_400 + rng.randrange(86_400)
        if any(hours.hold(time_s * 1_000_000) for other in entry.columns for hours in other.hours) is bool(
            column.hours
        ):
            return time_s


NEVER_USED_BY_LITELLM = {
    ("fireworks_ai", "priority"): "its calculator for Fireworks does not look at the service tier",
    ("perplexity", ""): "its calculator for Perplexity does not look at thresholds",
}


def test_litellm_bills_what_its_imported_card_says():
    price_map, report = litellm()
    rng = random.Random(7)
    imported = [
        named_by(key, price_map[key]) for key, outcome in report.outcomes.items() if outcome.fate is Fate.IMPORTED
    ]
    names = {(named.provider, named.model): named for named in imported}
    cases = []
    for entry in report.card.entries:
        named = names[entry.provider, entry.model]
        values = price_map[named.key]
        listens = values.get("mode") == "audio_transcription"
        asked = {
            "provider": "vertex_ai" if named.written.startswith("vertex_ai-") else named.written,
            "model": named.key,
        }
        if named.key.startswith("perplexity/perplexity/"):
            continue  # litellm strips the doubled provider and reads another key
        for column, lines in usages(
            rng,
            entry,
            lambda one, listens=listens: (
                one.kind <= UsageKind.OUTPUT_IMAGE_TOKENS or (listens and one.word == "seconds:in")
            ),
        ):
            only_seconds = "seconds:in" not in lines or len(lines) == 1
            nothing_in = "tiered_pricing" in values and not any("input" in word or "cache" in word for word in lines)
            never = NEVER_USED_BY_LITELLM.get((entry.provider, column.service_tier))
            never = never if entry.provider != "perplexity" or column.prompt_tiers else None
            if only_seconds and not nothing_in and not never and "resolution" not in dict(column.attributes):
                case = {
                    "lines": lines,
                    "service_tier": column.service_tier,
                    "attributes": dict(column.attributes),
                    "time_s": moment_s(rng, entry, column),
                }
                cases.append((case | {"provider": entry.provider, "model": entry.model}, case | asked))
    costs = library_costs("litellm_costs.py", [theirs for _, theirs in cases])
    wrong = [
        (ours, cost)
        for (ours, _), cost in zip(cases, costs, strict=True)
        if not nearly(cost, cost_usd(priced(report.card, ours)))
    ]
    assert wrong == []
    assert len(cases) > 10_000


def nearly(text, cost):
    try:
        return abs(Fraction(float(text)) - cost) <= cost * RELATIVE
    except ValueError:  # the name of an error
        return False


def test_genai_prices_bills_what_its_imported_card_says_to_the_last_digit():
    rng = random.Random(8)
    card = genai().card
    cases = []
    for entry in card.entries:
        for column, lines in usages(rng, entry, lambda one: one.word not in {"seconds:out", "requests"}):
            context = dict(column.attributes)
            if column.service_tier:
                context["processing" if column.service_tier == "batch" else "service_tier"] = column.service_tier
            more = {"requests": 1} if Measure(UsageKind.REQUESTS) in column.prices else {}
            name = entry.model.replace("*", rng.choice(["-20991231", "-2099-12-31"]))
            asked = {
                "provider": entry.provider,
                "model": name,
                "service_tier": column.service_tier,
                "attributes": dict(column.attributes),
            }
            cases.append(asked | {"lines": lines | more, "context": context, "time_s": moment_s(rng, entry, column)})
    costs = library_costs("genai_costs.py", cases)
    assert [
        (case, cost)
        for case, cost in zip(cases, costs, strict=True)
        if " " in cost or Fraction(cost) != cost_usd(priced(card, case))
    ] == []
    assert len(cases) > 5_000
