"""What of litellm's map is no model of a card, which names lead to one, and that nothing is left out without a word."""

from decimal import Decimal

import pytest

from billing_service.domain.catalogue.usage_kinds import Measure, UsageKind
from billing_service.rate_import import litellm_keys
from billing_service.rate_import.reports import ODD_SHAPE, Fate
from tests.rate_import.price_samples import TOKENS, imported, litellm_report, loaded


def input_price(entry):
    return entry.columns[0].prices[Measure(UsageKind.INPUT_TOKENS)].usd_e18


REFUSED = [
    ([], ODD_SHAPE),
    ("text", ODD_SHAPE),
    ({"litellm_provider": "", "input_cost_per_token": 1}, "it names no provider"),
    ({**TOKENS, "cost_per_second": 1}, "priced by the time of a reserved machine"),
    ({**TOKENS, "guardrail_cost_per_unit": {"x": 1}}, "prices of content policies"),
    ({**TOKENS, "input_cost_per_video_per_second_above_8s_interval": 1}, "length of each interval"),
    ({**TOKENS, "input_cost_per_smell": 1}, "input_cost_per_smell is a key that this importer does not know"),
    ({**TOKENS, "peak_price": 1}, "peak_price is a key that this importer does not know"),
    ({**TOKENS, "surcharge_after_hours": 1}, "does not know"),
    ({**TOKENS, "night_uplift": 1}, "does not know"),
    ({**TOKENS, "input_cost_per_token_above_200k_tokens_sunday": 1}, "does not know"),
    ({**TOKENS, "input_cost_per_request_above_128k_tokens": 1}, "does not know"),
    ({**TOKENS, "input_cost_per_token": "1e-6"}, "input_cost_per_token is no number"),
    ({**TOKENS, "input_cost_per_token": True}, "input_cost_per_token is no number"),
    ({**TOKENS, "input_cost_per_token": Decimal("NaN")}, "input_cost_per_token is no number"),
    ({**TOKENS, "input_cost_per_token": Decimal(-1)}, "input_cost_per_token is below zero"),
    ({**TOKENS, "fedramp_uplift_multiplier": "1.1"}, "fedramp_uplift_multiplier is no number"),
    (
        {**TOKENS, "search_context_cost_per_query": {"search_context_size_huge": 1}},
        ("other sizes than low, medium and high"),
    ),
    ({**TOKENS, "search_context_cost_per_query": {}}, "other sizes than low, medium and high"),
    ({**TOKENS, "tiered_pricing": []}, "tiered_pricing has no ranges"),
    ({**TOKENS, "tiered_pricing": [{"max_results_range": [1, 2], "input_cost_per_query": 1}]}, "number of results"),
    ({**TOKENS, "tiered_pricing": [{"range": [5, 9], "input_cost_per_token": 1}]}, "do not follow each other"),
    (
        {
            **TOKENS,
            "tiered_pricing": [
                {"range": [0, 9], "input_cost_per_token": 1},
                {"range": [8, 10], "input_cost_per_token": 1},
            ],
        },
        "do not follow each other",
    ),
    (
        {**TOKENS, "tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 1, "input_cost_per_query": 1}]},
        "key of a range",
    ),
    (
        {
            **TOKENS,
            "input_cost_per_token_priority": 1,
            "tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 1}],
        },
        "at once",
    ),
    ({**TOKENS, "off_peak_pricing": {"input_cost_per_token": 1}}, "off_peak_pricing has no hours"),
    ({**TOKENS, "off_peak_pricing": {"hours_utc": "7-9"}}, "has the hours '7-9'"),
    ({**TOKENS, "off_peak_pricing": {"windows": "x"}}, "windows that are no list"),
    (
        {**TOKENS, "off_peak_pricing": {"windows": [{"hours_utc": "01:00-02:00", "weekdays": [8]}]}},
        ("has the weekdays [8]"),
    ),
    (
        {**TOKENS, "off_peak_pricing": {"windows": [{"hours_utc": "01:00-02:00", "holidays": True}]}},
        ("a window that this importer does not know"),
    ),
    (
        {**TOKENS, "off_peak_pricing": {"hours_utc": "01:00-02:00", "weekday_timezone": "Mars/Base"}},
        ("no time zone here"),
    ),
    (
        {**TOKENS, "off_peak_pricing": {"hours_utc": "01:00-02:00", "weekday_timezone": "Europe/Paris"}},
        ("where clocks change"),
    ),
    ({**TOKENS, "off_peak_pricing": {"hours_utc": "01:00-02:00", "input_cost_per_smell": 1}}, "key of off-peak prices"),
    ({**TOKENS, "off_peak_pricing": {"hours_utc": "01:00-02:00"}, "input_cost_per_token_above_9_tokens": 1}, "at once"),
    ({"litellm_provider": "p", "input_cost_per_token": Decimal("8.900000000000001E-7")}, "has more than 18 decimals"),
    ({"litellm_provider": "p", "input_cost_per_token_priority": 1}, "no price at the standard tier"),
    (
        {"litellm_provider": "p", "mode": "image_generation", "input_cost_per_pixel": 1, "output_cost_per_pixel": 1},
        "pixels of what is shown and of what is made",
    ),
    (TOKENS | {"litellm_provider": "p" * 257}, "its name is none that a card takes literally"),
    (TOKENS | {"input_cost_per_token_above_9999999999k_tokens": 1}, "a price above more than 1000000000000 tokens"),
    ({"alias_of": "nobody"}, "an alias of a model that is not in the card"),
]


@pytest.mark.parametrize(("entry", "why"), REFUSED)
def test_a_model_that_can_not_be_priced_right_is_refused(entry, why):
    outcome, entries = imported(entry)
    assert (outcome.fate, entries) == (Fate.REFUSED, ())
    assert why in outcome.why


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("p/m*", "none that a card takes literally"),
        ("p/" + "m" * 300, "none that a card takes literally"),
        ("p/model_router", "a fee on top"),
        ("fireworks-ai-up-to-4b", "a size class"),
    ],
)
def test_what_is_no_name_of_a_model(key, why):
    outcome, _ = imported(TOKENS, key)
    assert outcome.fate is Fate.REFUSED
    assert why in outcome.why


def test_a_model_without_a_price_is_unpriced_not_free():
    outcome, entries = imported({"litellm_provider": "p", "mode": "chat", "max_tokens": 5, "supports_vision": True})
    assert (outcome.fate, entries) == (Fate.UNPRICED, ())


def test_a_star_inside_a_name_is_literal():
    report = litellm_report({"bedrock/*/m": {**TOKENS, "litellm_provider": "bedrock"}})
    assert report.card.find("bedrock", "*/m") is not None
    assert report.card.find("bedrock", "us/m") is None


def test_a_key_with_its_provider_is_read_before_a_bare_one():
    other = {**TOKENS, "input_cost_per_token": 5}
    for order in (["m", "p/m"], ["p/m", "m"]):
        report = litellm_report({key: {"m": other, "p/m": TOKENS}[key] for key in order})
        assert [report.outcomes[key].fate for key in ("p/m", "m")] == [Fate.IMPORTED, Fate.DUPLICATE]
        assert "other prices" in report.outcomes["m"].why
        assert input_price(report.card.entries[0]) == 10**12


def test_providers_with_several_names_are_one():
    report = litellm_report(
        {
            "vertex_ai/a": {**TOKENS, "litellm_provider": "vertex_ai-anthropic_models"},
            "b": {**TOKENS, "litellm_provider": "bedrock_converse"},
        }
    )
    assert [(entry.provider, entry.model) for entry in report.card.entries] == [("vertex_ai", "a"), ("bedrock", "b")]


@pytest.mark.parametrize(
    ("key", "target", "fate"),
    [
        ("p/b", "p/m", Fate.ALIAS),
        ("b", ["p/m"], Fate.REFUSED),
        ("b", "p/seconds", Fate.REFUSED),
        ("", "p/m", Fate.REFUSED),
        ("p/", "p/m", Fate.REFUSED),
        ("b*", "p/m", Fate.REFUSED),
        ("b\u200b", "p/m", Fate.REFUSED),
        ("b" * 257, "p/m", Fate.REFUSED),
        ("m", "p/m", Fate.DUPLICATE),
        ("p/a", "p/m", Fate.DUPLICATE),
    ],
)
def test_an_alias_has_a_name_of_its_own_and_a_target_in_the_card(key, target, fate):
    reserved = TOKENS | {"cost_per_second": 1}
    report = litellm_report({"p/m": TOKENS, "p/seconds": reserved, "a": {"alias_of": "p/m"}, key: {"alias_of": target}})
    assert report.outcomes[key].fate is fate
    assert len(report.card.aliases) == 1 + (fate is Fate.ALIAS)


def test_aliases():
    report = litellm_report({"p/latest": {"alias_of": "p/m"}, "p/m": TOKENS, "p/n": {"alias_of": "p/latest"}})
    assert [report.outcomes[key].fate for key in ("p/latest", "p/m", "p/n")] == [
        Fate.ALIAS,
        Fate.IMPORTED,
        Fate.REFUSED,
    ]
    assert report.card.find("p", "latest").entry.model == "m"


def test_the_card_says_where_it_is_from():
    card = litellm_report({"p/m": TOKENS}).card
    assert (card.source.name, card.source.version, card.markup_ppm) == ("litellm", "1.110.2", 150_000)


def test_every_model_of_the_sample_has_one_fate():
    sample = loaded("litellm_sample.json")
    report = litellm_report({"sample_spec": {}, "fallback_generalizations": {"rules": []}, **sample})
    assert list(report.outcomes) == list(sample)
    assert sum(report.count(fate) for fate in Fate) == len(sample)
    assert {fate: report.count(fate) for fate in Fate} == {
        Fate.IMPORTED: 59,
        Fate.ALIAS: 1,
        Fate.DUPLICATE: 2,
        Fate.REFUSED: 9,
        Fate.UNPRICED: 1,
    }


def test_every_key_of_the_sample_is_in_the_tables():
    keys = {key for entry in loaded("litellm_sample.json").values() for key in entry}
    words = {"alias_of", "litellm_provider", "mode"}
    assert sorted(key for key in keys - words if not litellm_keys.is_known(key)) == [
        "input_cost_per_audio_per_second_above_128k_tokens",
        "input_cost_per_character_above_128k_tokens",
        "input_cost_per_image_above_128k_tokens",
        "input_cost_per_video_per_second_above_128k_tokens",
        "output_cost_per_character_above_128k_tokens",
    ]
