"""Which entry a model's name finds: literal, alias, dated, wide, the longest first, and never without the provider."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.rate_cards import Alias, Column, Entry, Rule
from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from tests.support.rate_card_examples import by_hand, card_of, cards

FOUND_NOWHERE = [
    ("azure", "gpt-5-mini"),
    ("", "gpt-5-mini"),
    ("OpenAI", "gpt-5-mini"),
    ("openai", "GPT-5-mini"),
    ("openai", "gpt-5-mini-2026-01-01"),
    ("openai", "gpt-5-pro"),
    ("openai", "gpt-5-preview-2026-01-01"),
    ("openai", "gpt-5-2026-13-01"),
    ("openai", "gpt-5-2026-00-10"),
    ("openai", "gpt-5-2026-01-32"),
    ("openai", "gpt-5-2026-0101"),
    ("openai", "gpt-5-202601-01"),
    ("openai", "gpt-5-1999-01-01"),
    ("openai", "gpt-5-20260101x"),
    ("openai", "gpt-520260101"),
    ("openai", "gpt-5@"),
    ("openai", "gpt-"),
    ("openai", ""),
    ("openai", "ft:gp"),
    ("openai", "gpt-5*"),
]
FOUND = [
    ("openai", "gpt-5-mini", "gpt-5-mini", Rule.LITERAL),
    ("openai", "gpt-latest", "gpt-5-mini", Rule.ALIAS),
    ("azure", "my-deployment", "gpt-5-mini", Rule.ALIAS),
    ("openai", "gpt-5", "gpt-5*", Rule.DATED),
    ("openai", "gpt-5-2026-01-31", "gpt-5*", Rule.DATED),
    ("openai", "gpt-5-20260131", "gpt-5*", Rule.DATED),
    ("openai", "gpt-5@latest", "gpt-5*", Rule.DATED),
    ("openai", "gpt-5@a@b", "gpt-5*", Rule.DATED),
    ("openai", "gpt-5-nano-20260131", "gpt-5-nano*", Rule.DATED),
    ("openai", "ft:gpt", "ft:gpt**", Rule.WIDE),
    ("openai", "ft:gpt-4o:mine", "ft:gpt**", Rule.WIDE),
    ("openai", "ft:gpt-5-nano:mine", "ft:gpt-5**", Rule.WIDE),
]


@pytest.mark.parametrize(("provider", "model"), FOUND_NOWHERE)
def test_a_name_that_no_entry_is_for(provider, model):
    assert by_hand().find(provider, model) is None


@pytest.mark.parametrize(("provider", "model", "pattern", "rule"), FOUND)
def test_a_name_finds_its_entry(provider, model, pattern, rule):
    match = by_hand().find(provider, model)
    assert (match.entry.model, match.rule) == (pattern, rule)


def entry(model, provider="p"):
    return Entry(provider, model, (Column({}),))


ORDER = ["name", "alias", "name*", "na*", "name-2026-01-01**", "name**", "n**"]


@pytest.mark.parametrize("missing", range(len(ORDER) - 1))
def test_the_order_of_matching(missing):
    """Each rule finds the name once those before it find nothing."""
    name = "name-2026-01-01" if missing >= 2 else "name"
    left = [pattern for pattern in ORDER[missing:] if pattern != "alias"]
    card = card_of(*[entry(pattern) for pattern in left], entry("other"), aliases=(Alias("p", "name", "p", "other"),))
    found = card.find("p", name)
    expected = {0: "name", 1: "other", 2: "name*", 3: "name-2026-01-01**", 4: "name-2026-01-01**", 5: "name**"}[missing]
    assert found.entry.model == expected


def test_a_pattern_with_a_star_inside_is_literal_there():
    card = card_of(entry("bedrock/*/model"))
    assert card.find("p", "bedrock/*/model").rule is Rule.LITERAL
    assert card.find("p", "bedrock/x/model") is None


def slow_find(card, provider, model):
    """What the rules say, without an index."""
    for entry in card.entries:
        if entry.provider == provider and entry.model == model and not model.endswith("*"):
            return entry.model, Rule.LITERAL
    for alias in card.aliases:
        if (alias.provider, alias.name) == (provider, model):
            return alias.to_model, Rule.ALIAS
    dated = r"(|-20\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])|-20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])|@.+)"
    mine = [entry for entry in card.entries if entry.provider == provider]
    for rule, stars, suffix in ((Rule.DATED, "*", dated), (Rule.WIDE, "**", ".*")):
        prefixes = [
            entry.model.rstrip("*") for entry in mine if len(entry.model) - len(entry.model.rstrip("*")) == len(stars)
        ]
        fitting = [prefix for prefix in prefixes if re.fullmatch(re.escape(prefix) + suffix, model)]
        if fitting:
            return max(fitting, key=len) + stars, rule
    return None


SUFFIXES = st.sampled_from(["", "-2026-11-30", "-20261130", "@x", "a", "-2026-1130", "@"])


@given(cards(), st.data())
def test_the_index_finds_what_the_rules_say(card, data):
    stems = [entry.model.rstrip("*") for entry in card.entries] + [alias.name for alias in card.aliases]
    model = data.draw(st.sampled_from(stems)) + data.draw(SUFFIXES)
    provider = data.draw(st.sampled_from(["p", "q", "r"]))
    match = card.find(provider, model)
    assert (match and (match.entry.model, match.rule)) == slow_find(card, provider, model)


@pytest.mark.parametrize(
    ("provider", "model", "ppm"),
    [
        ("openai", "gpt-5-mini", 0),
        ("openai", "gpt-5", 150_000),
        ("anthropic", "claude-sonnet-4-5", 100_000),
        ("azure", "my-deployment", 0),
    ],
)
def test_markups_are_the_entry_s_else_the_provider_s_else_the_card_s(provider, model, ppm):
    card = by_hand()
    assert card.markup_of(card.find(provider, model).entry) == ppm


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("", ""),
        ("default", ""),
        ("standard", ""),
        ("fast", "priority"),
        ("priority", "priority"),
        ("Default", "Default"),
    ],
)
def test_names_of_service_tiers(name, tier):
    assert by_hand().service_tier(name) == tier


def test_wide_patterns_are_listed():
    assert [entry.model for entry in by_hand().wide_patterns()] == ["ft:gpt**", "ft:gpt-5**"]


@pytest.mark.parametrize(
    ("tokens", "above"),
    [(0, 0), (200_000, 0), (200_001, 200_000), (500_000, 200_000), (500_001, 500_000), (10**13, 500_000)],
)
def test_a_prompt_tier_begins_strictly_above_its_threshold(tokens, above):
    column = by_hand().find("anthropic", "claude-sonnet-4-5").entry.columns[0]
    found, prices = column.prices_of(tokens)
    assert (found, prices[Measure(UsageKind.INPUT_TOKENS)].usd_e18) == (
        above,
        {0: 3, 200_000: 6, 500_000: 9}[above] * 10**12,
    )
