"""What a usage costs: refusals first, then exact sums, cliffs, tiers, hours and one rounding."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.moments import Hours, moment_us
from billing_service.domain.catalogue.rate_cards import Column, Entry, Markup, PromptTier, UnitPrice
from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.pricing import OCCUR_WINDOW_US, TimeBasis, price, pricing_time
from billing_service.domain.spending.usage import usage_of
from tests.support.rate_card_examples import by_hand, card_of, prices_of

K = UsageKind
MONDAY = "2026-11-30T16:00:00Z"
SONNET = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
REFUSED = [
    ({"provider": "azure", "model": "gpt-5"}, "UNKNOWN_MODEL", None),
    ({"provider": "openai", "model": "gpt-7"}, "UNKNOWN_MODEL", None),
    ({"provider": "openai", "model": "gpt-5-mini", "lines": [(K.IMAGES, "", 1)]}, "PRICE_MISSING", "images"),
    (
        {"provider": "openai", "model": "gpt-5", "lines": [(2, "", 1), (5, "", 1), (1, "", 1)]},
        "PRICE_MISSING",
        "cached_input_tokens, reasoning_tokens",
    ),
    ({"provider": "openai", "model": "gpt-5", "service_tier": "flex"}, "PRICE_MISSING", "service_tier flex"),
    ({"provider": "openai", "model": "gpt-5-mini", "service_tier": "fast"}, "PRICE_MISSING", "service_tier fast"),
    ({**SONNET, "attributes": {"region": "eu"}}, "PRICE_MISSING", "attribute region=eu"),
    ({**SONNET, "attributes": {"color": "us", "region": "us"}}, "PRICE_MISSING", "attribute color=us"),
    ({**SONNET, "attributes": {"speed": "fast"}}, "PRICE_MISSING", "attribute speed=fast"),
    (
        {**SONNET, "attributes": {"region": "us", "speed": "fast"}, "service_tier": "batch"},
        "PRICE_MISSING",
        "service_tier batch",
    ),
    ({**SONNET, "lines": [(3, "1h", 500_001)]}, "PRICE_MISSING", "cache_write_tokens:1h"),
    ({**SONNET, "lines": [(3, "30m", 1)]}, "PRICE_MISSING", "cache_write_tokens:30m"),
    ({**SONNET, "lines": [(1, "", 200_001), (15, "web_searches", 1)]}, "PRICE_MISSING", "units:web_searches"),
    ({"provider": "openrouter", "model": "auto"}, "PRICE_MISSING", "provider_cost_usd"),
    ({"provider": "openai", "model": "gpt-5", "provider_cost_usd": "0.1"}, "INVALID_FIELD", None),
    ({"provider": "openai", "model": "whisper-1", "lines": [(12, "", 10**12)]}, "INVALID_FIELD", None),
]


def priced(card=None, at=MONDAY, lines=((K.INPUT_TOKENS, "", 1),), **more):
    usage = usage_of(**{"provider": "p", "model": "m", "lines": lines} | more)
    return price(usage, card or by_hand(), moment_us(at), TimeBasis.RECEIVED)


@pytest.mark.parametrize(("asked", "reason", "missing"), REFUSED)
def test_what_the_card_does_not_price_is_refused(asked, reason, missing):
    with pytest.raises(Refusal) as refused:
        priced(**asked)
    told = refused.value
    assert told.reason is Reason(reason)
    assert told.metadata.get("missing") == missing
    if reason != "INVALID_FIELD":
        assert (told.metadata["provider"], told.metadata["model"], told.metadata["rate_card_version"]) == (
            asked["provider"],
            asked["model"],
            "hand-1",
        )
    assert ("model_pattern" in told.metadata) is (reason == "PRICE_MISSING")


def test_an_entry_that_has_prices_with_attributes_alone():
    card = card_of(Entry("p", "m", (Column(prices_of(input_tokens=1), attributes=(("region", "us"),)),)))
    assert priced(card, attributes={"region": "us"}).amount_microcredits == 1
    with pytest.raises(Refusal, match="a call without attributes"):
        priced(card)


PRICED = [
    # provider, model, lines, more, exact microcredits, amount
    ("openai", "gpt-5", [(1, "", 1)], {}, "143.75", 144),
    ("openai", "gpt-5", [(1, "", 4)], {}, "575", 575),
    ("openai", "gpt-5-2026-11-30", [(1, "", 1), (4, "", 1)], {}, "1293.75", 1294),
    ("openai", "gpt-5", [(1, "", 1)], {"service_tier": "priority"}, "287.5", 288),
    ("openai", "gpt-5", [(1, "", 1)], {"service_tier": "fast"}, "287.5", 288),
    ("openai", "gpt-5", [(1, "", 1)], {"service_tier": "default"}, "143.75", 144),
    ("openai", "gpt-5", [(1, "", 1)], {"attributes": {"region": ""}}, "143.75", 144),
    ("openai", "gpt-5-mini", [(1, "", 7), (4, "", 1)], {}, "375", 375),
    ("openai", "gpt-latest", [(1, "", 300), (2, "", 600), (4, "", 30), (5, "", 70)], {}, "29000", 29_000),
    ("openai", "gpt-5-nano", [(1, "", 1)], {}, "5.75", 6),
    ("openai", "ft:gpt-5:mine", [(1, "", 1)], {}, "460", 460),
    ("openai", "whisper-1", [(13, "in", 1)], {}, "11.5", 12),
    ("openai", "whisper-1", [(13, "in", 1_500), (12, "", 1)], {}, "4617250", 4_617_250),
    ("openai", "whisper-1", [(14, "", 10**12)], {}, "0", 0),
    (
        "anthropic",
        "claude-sonnet-4-5-20250929",
        [(1, "", 300), (3, "", 60), (3, "1h", 40), (4, "", 500)],
        {},
        "975150",
        975_150,
    ),
    (
        "anthropic",
        "claude-sonnet-4-5",
        [(1, "", 1)],
        {"attributes": {"region": "global", "speed": "standard"}},
        "330",
        330,
    ),
    ("anthropic", "claude-sonnet-4-5", [(1, "", 1)], {"attributes": {"region": "us"}}, "363", 363),
    ("anthropic", "claude-sonnet-4-5", [(1, "", 1)], {"attributes": {"region": "us", "speed": "standard"}}, "363", 363),
    ("anthropic", "claude-sonnet-4-5", [(1, "", 1)], {"attributes": {"region": "us", "speed": "fast"}}, "726", 726),
    ("anthropic", "claude-sonnet-4-5", [(1, "", 200_000)], {}, "66000000", 66_000_000),
    ("anthropic", "claude-sonnet-4-5", [(1, "", 200_001)], {}, "132000660", 132_000_660),
    ("openrouter", "auto", [(1, "", 10**12)], {"provider_cost_usd": "0.0123456789"}, "1419753.0735", 1_419_754),
    ("openrouter", "auto", [], {"provider_cost_usd": "0.000000000000000001"}, "0.000000000115", 1),
]


@pytest.mark.parametrize("row", PRICED, ids=str)
def test_prices_by_hand(row):
    provider, model, lines, more, exact, amount = row
    found = priced(provider=provider, model=model, lines=lines, **more)
    assert (found.exact_total, found.amount_microcredits) == (exact, amount)


def test_a_price_says_all_that_it_was_computed_from():
    found = priced(
        **SONNET, lines=[(3, "1h", 40), (1, "", 300), (15, "web_searches", 2)], attributes={"speed": "standard"}
    )
    assert (found.rate_card_version, found.model_pattern, found.service_tier, found.prompt_tier) == (
        "hand-1",
        "claude-sonnet-4-5*",
        "",
        0,
    )
    assert [(line.measure.word, line.quantity, line.unit_price_usd, line.cost_usd) for line in found.lines] == [
        ("input_tokens", 300, "0.000003", "0.0009"),
        ("cache_write_tokens:1h", 40, "0.000006", "0.00024"),
        ("units:web_searches", 2, "0.01", "0.02"),
    ]
    assert (found.markup_ppm, found.provider_cost_usd, found.time_basis) == (100_000, "", TimeBasis.RECEIVED)
    above = priced(**SONNET, lines=[(1, "", 600_000)])
    assert above.prompt_tier == 500_000
    fast = priced(provider="openai", model="gpt-5", service_tier="fast")
    assert fast.service_tier == "priority"


def test_where_the_provider_says_what_it_cost_the_lines_are_evidence():
    found = priced(
        provider="openrouter",
        model="auto",
        lines=[(1, "", 5)],
        provider_cost_usd="0.5",
        service_tier="fast",
        attributes={"x": "y"},
    )
    assert [(line.quantity, line.unit_price_usd, line.cost_usd) for line in found.lines] == [(5, "0", "0")]
    assert (found.provider_cost_usd, found.service_tier, found.amount_microcredits) == ("0.5", "priority", 57_500_000)


PROMPT = (1, 2, 3, 6, 7, 9, 10)


@pytest.mark.parametrize("kind", PROMPT)
@pytest.mark.parametrize(("tokens", "cost"), [(0, 1), (999, 1), (1_000, 1), (1_001, 7), (5_000, 7), (5_001, 9)])
def test_the_cliff_is_strictly_above_its_threshold_whatever_the_prompt_is_made_of(kind, tokens, cost):
    """The price of the output shows which tier held: the whole request has one."""
    measure = Measure(K(kind), "5m" if kind == K.CACHE_WRITE_TOKENS else "")

    def tier(value):
        return {measure: UnitPrice(0), Measure(K.OUTPUT_TOKENS): UnitPrice(value * 10**10)}

    column = Column(tier(1), prompt_tiers=(PromptTier(1_000, tier(7)), PromptTier(5_000, tier(9))))
    found = priced(card_of(Entry("p", "m", (column,))), lines=[(kind, "", tokens), (K.OUTPUT_TOKENS, "", 1)])
    assert found.amount_microcredits == cost


@pytest.mark.parametrize("kind", [4, 5, 8, 11, 12, 14])
def test_what_is_no_prompt_reaches_no_threshold(kind):
    measure = Measure(K(kind))
    card = card_of(
        Entry("p", "m", (Column({measure: UnitPrice(1)}, prompt_tiers=(PromptTier(1, {measure: UnitPrice(10**18)}),)),))
    )
    assert priced(card, lines=[(kind, "", 100)]).prompt_tier == 0


NIGHT = Hours(0, 3_600, (0, 1, 2, 3, 4))
HOURLY = [
    ("2026-11-30T00:00:00Z", 15),
    ("2026-11-30T00:59:59Z", 15),
    ("2026-11-30T01:00:00Z", 30),
    ("2026-11-29T23:59:59Z", 15),
    ("2026-11-28T12:00:00Z", 15),
    ("2026-11-27T23:59:59Z", 30),
    ("2026-11-27T00:30:00Z", 15),
]


@pytest.mark.parametrize(("at", "cost"), HOURLY)
def test_hours_of_the_week(at, cost):
    found = priced(provider="deepseek", model="deepseek-chat", at=at)
    assert Fraction(found.exact_total) == Fraction(cost) * Fraction(115, 100)


def test_a_fall_back_is_no_matter_of_pricing():
    """A card without a price for cached tokens refuses them, however near the price of input is."""
    for kind in K:
        column = Column(
            prices_of(
                **{other.name.lower(): 1 for other in K if other is not kind and other not in {K.SECONDS, K.UNITS}}
            )
        )
        variant = {K.SECONDS: "in", K.UNITS: "x"}.get(kind, "")
        with pytest.raises(Refusal, match="has no price"):
            priced(card_of(Entry("p", "m", (column,))), lines=[(kind, variant, 1)])


def test_a_tier_that_the_card_does_not_price_is_never_the_standard_price():
    for tier in ("flex", "batch", "priority", "Standard", "scale"):
        with pytest.raises(Refusal) as refused:
            priced(provider="openai", model="gpt-5-nano", service_tier=tier)
        assert refused.value.metadata["missing"] == f"service_tier {tier}"


QUANTITIES = st.integers(0, 10**9)
E18 = st.integers(0, 10**15)


@given(
    st.lists(
        st.tuples(st.sampled_from([kind for kind in K if kind is not K.UNITS]), QUANTITIES, E18),
        min_size=1,
        max_size=8,
        unique_by=lambda line: line[0],
    ),
    st.integers(0, 10**8),
    st.sampled_from(["5m", "12h"]),
)
def test_a_price_is_exact_and_rounded_up_once(lines, ppm, written):
    """Against fractions, which know no rounding: sum of quantity x price x (1 + markup), and up to the microcredit at
    the end."""
    variants = {K.CACHE_WRITE_TOKENS: written, K.SECONDS: "out"}
    column = Column({Measure(kind, variants.get(kind, "")): UnitPrice(e18) for kind, _, e18 in lines})
    exact = Fraction(0)
    for kind, quantity, e18 in lines:
        exact += Fraction(quantity, 1_000 if kind is K.SECONDS else 1) * Fraction(e18, 10**18) * 10**8
    exact *= Fraction(1_000_000 + ppm, 1_000_000)
    asked = [(kind, variants.get(kind, ""), quantity) for kind, quantity, _ in lines]
    card = card_of(Entry("p", "m", (column,)), markup_ppm=ppm)
    if not any(quantity for _, quantity, _ in lines) or exact > 10**15:
        with pytest.raises(Refusal):
            priced(card, lines=asked)
        return
    found = priced(card, lines=asked)
    assert Fraction(found.exact_total) == exact
    assert found.amount_microcredits == ceil(exact)
    assert sum(Fraction(line.cost_usd) for line in found.lines) * Fraction(1_000_000 + ppm, 1_000_000) * 10**8 == exact


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_more_is_never_cheaper_by_rounding(one, other):
    """Two usages together cost at most what they cost apart, and at least that less one microcredit."""
    card = card_of(Entry("p", "m", (Column(prices_of(input_tokens=333_333_333)),)))
    apart = sum(priced(card, lines=[(1, "", quantity)]).amount_microcredits for quantity in (one, other))
    together = priced(card, lines=[(1, "", one + other)]).amount_microcredits
    assert apart - 1 <= together <= apart


def test_the_largest_amount_that_one_operation_moves():
    card = card_of(Entry("p", "m", (Column(prices_of(input_tokens=10**13)),)))
    assert priced(card, lines=[(1, "", 10**12)]).amount_microcredits == 10**15
    with pytest.raises(Refusal, match="1001000000000000 microcredits"):
        priced(
            card_of(Entry("p", "m", (Column(prices_of(input_tokens=10**13)),)), markups=(Markup("p", "m", 1_000),)),
            lines=[(1, "", 10**12)],
        )


NOW = moment_us(MONDAY)


@pytest.mark.parametrize(
    ("occurred", "time_us", "basis"),
    [
        (None, NOW, TimeBasis.RECEIVED),
        (NOW, NOW, TimeBasis.OCCURRED),
        (NOW - 1, NOW - 1, TimeBasis.OCCURRED),
        (NOW - OCCUR_WINDOW_US, NOW - OCCUR_WINDOW_US, TimeBasis.OCCURRED),
        (NOW - OCCUR_WINDOW_US - 1, NOW, TimeBasis.RECEIVED),
        (NOW + 1, NOW, TimeBasis.RECEIVED),
        (0, NOW, TimeBasis.RECEIVED),
    ],
)
def test_whose_time_chooses_the_price(occurred, time_us, basis):
    assert pricing_time(occurred, NOW) == (time_us, basis)


def test_the_window_in_which_a_usage_chooses_its_price_is_a_day():
    assert OCCUR_WINDOW_US == 24 * 3_600 * 1_000_000
    assert pricing_time(NOW - 11, NOW, window_us=10) == (NOW, TimeBasis.RECEIVED)
