"""litellm's map becomes a card: which prices and fall-backs it has."""

from decimal import Decimal

import pytest

from billing_service.rate_import import litellm_keys
from tests.rate_import.litellm_columns import column
from tests.rate_import.price_samples import TOKENS, imported, litellm_report, shown


def test_every_fall_back_is_in_the_card_and_says_so():
    assert shown(column(TOKENS).prices) == {
        "input_tokens": ("0.000001", ""),
        "output_tokens": ("0.000002", ""),
        "cached_input_tokens": ("0.000001", "input_tokens"),
        "reasoning_tokens": ("0.000002", "output_tokens"),
        **{f"cache_write_tokens:{life}": ("0.000001", "input_tokens") for life in ("5m", "30m", "1h", "12h")},
        "input_audio_tokens": ("0.000001", "input_tokens"),
        "input_image_tokens": ("0.000001", "input_tokens"),
        "cached_audio_tokens": ("0.000001", "input_tokens"),
        "cached_image_tokens": ("0.000001", "input_tokens"),
        "output_audio_tokens": ("0.000002", "output_tokens"),
        "output_image_tokens": ("0.000002", "output_tokens"),
    }


def test_output_without_a_price_is_no_output_for_nothing():
    assert {
        word
        for word in shown(column({"litellm_provider": "p", "input_cost_per_token": 1}).prices)
        if "output" in word or "reasoning" in word
    } == set()


WRITES = {
    **TOKENS,
    "cache_creation_input_token_cost": Decimal("0.000003"),
    "cache_creation_input_token_cost_above_1hr": Decimal("0.000004"),
}


def test_writes_by_their_lifetime():
    prices = shown(column(WRITES).prices)
    assert [prices[f"cache_write_tokens:{life}"] for life in ("5m", "30m", "1h", "12h")] == [
        ("0.000003", ""),
        ("0.000003", "cache_write_tokens:5m"),
        ("0.000004", ""),
        ("0.000003", "cache_write_tokens:5m"),
    ]


LONG = {
    **WRITES,
    "input_cost_per_token_above_200k_tokens": Decimal("0.00001"),
    "output_cost_per_token_above_200k_tokens": Decimal("0.00002"),
    "cache_creation_input_token_cost_above_1hr_above_200k_tokens": Decimal("0.00004"),
    "output_cost_per_token_above_300_tokens": 1,
}


def test_thresholds_and_what_keeps_its_price_above_them():
    found = column(LONG)
    assert [tier.above_tokens for tier in found.prompt_tiers] == [300, 200_000]
    prices = shown(found.prompt_tiers[1].prices)
    assert prices["input_tokens"] == ("0.00001", "")
    assert prices["cached_input_tokens"] == ("0.00001", "input_tokens")
    assert prices["cache_write_tokens:5m"] == ("0.000003", "price below the threshold")
    assert prices["cache_write_tokens:1h"] == ("0.00004", "")
    assert shown(found.prompt_tiers[0].prices)["output_tokens"] == ("1", "")


def test_xai_bills_a_threshold_from_its_number_on():
    found = column({**LONG, "litellm_provider": "xai"}, key="xai/m")
    assert [tier.above_tokens for tier in found.prompt_tiers] == [299, 199_999]


def test_a_service_tier_takes_the_standard_price_where_it_has_none_and_says_so():
    entry = {
        **LONG,
        "input_cost_per_token_priority": Decimal("0.000005"),
        "output_cost_per_reasoning_token": Decimal("0.000009"),
    }
    found = column(entry, tier="priority")
    prices = shown(found.prices)
    assert prices["input_tokens"] == ("0.000005", "")
    assert prices["output_tokens"] == ("0.000002", "standard tier")
    assert prices["reasoning_tokens"] == ("0.000009", "standard tier")
    assert shown(found.prompt_tiers[1].prices)["input_tokens"] == ("0.00001", "standard tier")
    assert column(entry, tier="flex") is None


def test_names_of_service_tiers():
    assert litellm_report({"p/m": TOKENS}).card.service_tier("fast") == "priority"


def test_a_batch_has_its_own_prices_and_none_that_litellm_would_make_up():
    found = column(
        {
            **TOKENS,
            "cache_read_input_token_cost": Decimal("0.0000005"),
            "input_cost_per_token_batches": Decimal("0.0000004"),
        },
        tier="batch",
    )
    assert {
        word: price
        for word, price in shown(found.prices).items()
        if not word.startswith(("cache_", "input_i", "input_a"))
    } == {
        "input_tokens": ("0.0000004", ""),
        "cached_input_tokens": ("0.0000005", "standard tier"),
        "cached_audio_tokens": ("0.0000005", "standard tier"),
        "cached_image_tokens": ("0.0000005", "standard tier"),
    }


def test_prices_by_region_and_speed_are_multiplied_exactly():
    specific = {"us": Decimal("1.1"), "fast": 6}
    entry = {
        **TOKENS,
        "litellm_provider": "anthropic",
        "provider_specific_entry": specific,
        "search_context_cost_per_query": {"search_context_size_medium": Decimal("0.01")},
    }
    for attributes, price in (
        ({"region": "us"}, "0.0000011"),
        ({"speed": "fast"}, "0.000006"),
        ({"region": "us", "speed": "fast"}, "0.0000066"),
    ):
        prices = shown(column(entry, key="anthropic/m", **attributes).prices)
        assert prices["input_tokens"][0] == price
        assert prices["units:web_searches"] == ("0.01", "")
    neutral = litellm_report({"anthropic/m": entry}).card.entries[0].neutral_attributes
    assert neutral == (("region", "global"), ("region", "not_available"), ("speed", "standard"))


@pytest.mark.parametrize(
    ("key", "attribute", "neutral"),
    [
        ("regional_processing_uplift_multiplier_eu", ("region", "eu"), ("region", "global")),
        ("fedramp_uplift_multiplier", ("region", "fedramp"), ("region", "global")),
        ("regional_endpoint_uplift_multiplier", ("endpoint", "regional"), ("endpoint", "global")),
    ],
)
def test_multipliers(key, attribute, neutral):
    entry = {**TOKENS, key: Decimal("1.1"), "input_cost_per_token_batches": Decimal("0.0000005")}
    assert shown(column(entry, **dict([attribute])).prices)["input_tokens"][0] == "0.0000011"
    assert shown(column(entry, tier="batch", **dict([attribute])).prices)["input_tokens"][0] == "0.00000055"
    assert neutral in litellm_report({"p/m": entry}).card.entries[0].neutral_attributes


RANGES = [
    {"range": [0, 32_000], "input_cost_per_token": 1, "output_cost_per_token": 2},
    {
        "range": [32_000, Decimal("64000.0")],
        "input_cost_per_token": 3,
        "output_cost_per_token": 4,
        "cache_read_input_token_cost": Decimal("0.5"),
        "output_cost_per_reasoning_token": 9,
    },
]


def test_ranges_of_the_prompt():
    found = column({"litellm_provider": "p", "tiered_pricing": RANGES})
    assert [tier.above_tokens for tier in found.prompt_tiers] == [32_000]
    assert shown(found.prices)["cached_input_tokens"] == ("1", "input_tokens")
    above = shown(found.prompt_tiers[0].prices)
    assert [above[word] for word in ("cached_input_tokens", "reasoning_tokens", "cache_write_tokens:5m")] == [
        ("0.5", ""),
        ("9", ""),
        ("3", "input_tokens"),
    ]


OFF_PEAK = [
    ({"hours_utc": "16:30-00:30"}, [(0, 1_800, range(7)), (59_400, 86_400, range(7))]),
    ({"hours_utc": ["01:00-02:00", "02:00-03:00"]}, [(3_600, 10_800, range(7))]),
    ({"windows": [{"hours_utc": "00:00-00:00", "weekdays": [6, 7]}]}, [(0, 86_400, [5, 6])]),
    ({"windows": [{"hours_utc": "10:00-00:00", "weekdays": ["mon", "Tuesday"]}]}, [(36_000, 86_400, [0, 1])]),
    ({"windows": [{"hours_utc": "22:00-02:00", "weekdays": [1]}]}, [(0, 7_200, [0]), (79_200, 86_400, [0])]),
    # Monday in Shanghai begins on Sunday at 16:00 UTC.
    (
        {"weekday_timezone": "Asia/Shanghai", "windows": [{"hours_utc": "00:00-00:00", "weekdays": [1]}]},
        [(0, 57_600, [0]), (57_600, 86_400, [6])],
    ),
]


@pytest.mark.parametrize(("block", "windows"), OFF_PEAK)
def test_off_peak_hours(block, windows):
    _, (entry,) = imported({**TOKENS, "off_peak_pricing": {**block, "input_cost_per_token": Decimal("0.0000005")}})
    night = entry.columns[1]
    assert [(hours.from_s, hours.until_s, list(hours.days)) for hours in night.hours] == [
        (start, end, list(days)) for start, end, days in windows
    ]
    prices = shown(night.prices)
    assert [prices[word] for word in ("input_tokens", "cached_input_tokens", "output_tokens")] == [
        ("0.0000005", ""),
        ("0.0000005", "input_tokens"),
        ("0.000002", ""),
    ]


@pytest.mark.parametrize("key", litellm_keys.IGNORED)
def test_keys_that_change_no_price(key):
    plain, other = litellm_report({"p/m": TOKENS}), litellm_report({"p/m": {**TOKENS, key: 7}})
    assert plain.card == other.card


def test_one_price_too_fine_is_left_out_and_nothing_stands_in_for_it():
    outcome, (entry,) = imported(
        {
            **TOKENS,
            "cache_creation_input_token_cost": Decimal("8.333333333333334E-8"),
            "input_cost_per_token_above_9_tokens": Decimal("1.00000000000000001E-6"),
        }
    )
    prices = shown(entry.columns[0].prices)
    assert "input_tokens" in prices
    assert not any(word.startswith("cache_write") for word in prices)
    assert "input_tokens" not in shown(entry.columns[0].prompt_tiers[0].prices)
    assert any(
        "cache_write_tokens:5m: 8.333333333333334E-8 USD has more than 18 decimals" in told for told in outcome.omitted
    )
