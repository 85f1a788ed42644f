"""Why a card prices as it does: the same decisions as pricing, with their reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.moments import moment_us
from billing_service.domain.catalogue.rate_cards import Rule
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.explanations import explain
from billing_service.domain.spending.pricing import TimeBasis, price
from billing_service.domain.spending.usage import usage_of
from tests.support.rate_card_examples import by_hand

NOW = moment_us("2026-11-30T16:00:00Z")
NIGHT = moment_us("2026-11-30T00:30:00Z")


def explained(at=NOW, **asked):
    return explain(usage_of(**{"lines": [(1, "", 1)]} | asked), by_hand(), at)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"provider": "openai", "model": "gpt-7"}, Reason.UNKNOWN_MODEL),
        ({"provider": "openai", "model": "gpt-5", "service_tier": "flex"}, Reason.PRICE_MISSING),
        ({"provider": "openai", "model": "gpt-5", "attributes": {"region": "us"}}, Reason.PRICE_MISSING),
    ],
)
def test_what_has_no_column_is_refused(asked, reason):
    with pytest.raises(Refusal) as refused:
        explained(**asked)
    assert refused.value.reason is reason


def test_lines_without_a_price_are_part_of_it():
    found = explained(provider="openai", model="gpt-5-mini", lines=[(1, "", 1), (8, "", 2), (15, "pages", 3)])
    assert found.missing == ("output_audio_tokens", "units:pages")
    assert found.price is None


@pytest.mark.parametrize(
    ("asked", "rule", "pattern"),
    [
        ({"provider": "openai", "model": "gpt-latest"}, Rule.ALIAS, "gpt-5-mini"),
        ({"provider": "openai", "model": "gpt-5-20260101"}, Rule.DATED, "gpt-5*"),
        ({"provider": "openai", "model": "ft:gpt-5:x"}, Rule.WIDE, "ft:gpt-5**"),
    ],
)
def test_how_the_entry_was_found(asked, rule, pattern):
    found = explained(**asked)
    assert (found.match.rule, found.match.entry.model) == (rule, pattern)


def test_which_column_tier_markup_and_fall_backs():
    found = explained(provider="openai", model="gpt-5-mini", lines=[(4, "", 1), (5, "", 2)])
    assert [(line.line.measure.word, line.unit_price.fallback) for line in found.fallbacks] == [
        ("reasoning_tokens", "output_tokens")
    ]
    assert (found.markup_ppm, found.markup_from) == (0, "entry")
    above = explained(provider="anthropic", model="claude-sonnet-4-5", lines=[(1, "", 200_001)])
    assert (above.prompt_tokens, above.prompt_tier, above.markup_from) == (200_001, 200_000, "provider")
    assert explained(provider="openai", model="gpt-5").markup_from == "card"
    assert explained(NIGHT, provider="deepseek", model="deepseek-chat").column.hours
    assert not explained(NOW, provider="deepseek", model="deepseek-chat").column.hours
    own = explained(provider="openrouter", model="auto", provider_cost_usd="1")
    assert (own.column, own.missing) == (None, ())


@given(
    st.sampled_from(["gpt-5", "gpt-5-mini", "gpt-latest", "ft:gpt-9"]),
    st.lists(
        st.tuples(st.sampled_from([1, 2, 4, 5]), st.just(""), st.integers(1, 10**6)),
        min_size=1,
        max_size=4,
        unique_by=lambda line: line[0],
    ),
)
def test_the_price_is_the_one_that_pricing_gives(model, lines):
    usage = usage_of(provider="openai", model=model, lines=lines)
    found = explain(usage, by_hand(), NOW)
    if found.missing:
        with pytest.raises(Refusal):
            price(usage, by_hand(), NOW, TimeBasis.RECEIVED)
    else:
        assert found.price == price(usage, by_hand(), NOW, TimeBasis.RECEIVED)
