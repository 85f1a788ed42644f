"""What each family of litellm's keys counts besides tokens."""

from decimal import Decimal

import pytest

from tests.rate_import.litellm_columns import column
from tests.rate_import.price_samples import TOKENS, shown

UNITS = [
    (
        {"input_cost_per_query": Decimal("0.002"), "input_cost_per_token": 0, "output_cost_per_token": 0},
        {"units:queries": "0.002"},
    ),
    (
        {"mode": "audio_transcription", "input_cost_per_second": Decimal("0.0001"), "output_cost_per_second": 0},
        {"seconds:in": "0.0001"},
    ),
    (
        {
            "mode": "audio_transcription",
            "input_cost_per_second": Decimal("0.0001"),
            "output_cost_per_second": Decimal("0.0002"),
        },
        {"seconds:in": "0.0002"},
    ),
    ({"mode": "video_generation", "output_cost_per_second": Decimal("0.1")}, {"seconds:out": "0.1"}),
    ({"mode": "video_generation", "output_cost_per_video_per_second": Decimal("0.1")}, {"seconds:out": "0.1"}),
    ({"mode": "image_generation", "input_cost_per_image": Decimal("0.009")}, {"images": "0.009"}),
    (
        {
            "mode": "image_generation",
            "input_cost_per_image": Decimal("0.001"),
            "output_cost_per_image": Decimal("0.04"),
        },
        {"images": "0.04", "units:input_images": "0.001"},
    ),
    ({"mode": "embedding", "input_cost_per_image": Decimal("0.0001")}, {"units:input_images": "0.0001"}),
    (
        {
            "mode": "video_generation",
            "input_cost_per_image": 1,
            "output_cost_per_second": 2,
            "provider_specific_entry": {"minimax_free_input_images": 2},
        },
        {"seconds:out": "2"},
    ),
    (
        {"mode": "image_generation", "input_cost_per_pixel": Decimal("0.00000001"), "output_cost_per_pixel": 0},
        {"units:pixels": "0.00000001"},
    ),
    ({"input_cost_per_character": Decimal("0.000015")}, {"units:input_characters": "0.000015"}),
    (
        {"ocr_cost_per_page": Decimal("0.002"), "annotation_cost_per_page": Decimal("0.003")},
        {"units:pages": "0.002", "units:annotated_pages": "0.003"},
    ),
    ({"ocr_cost_per_page": Decimal("0.002")}, {"units:pages": "0.002", "units:annotated_pages": "0.002"}),
    ({"ocr_cost_per_credit": Decimal("0.015")}, {"units:credits": "0.015"}),
    ({"input_cost_per_request": Decimal("0.005")}, {"requests": "0.005"}),
    ({"input_cost_per_text_message": Decimal("0.004")}, {"units:text_messages": "0.004"}),
    ({"code_interpreter_cost_per_session": Decimal("0.033")}, {"units:code_interpreter_sessions": "0.033"}),
    (
        {"input_cost_per_video_per_second": Decimal("0.0007"), "input_cost_per_audio_per_second": Decimal("0.00014")},
        {"units:input_video_milliseconds": "0.0000007", "seconds:in": "0.00014"},
    ),
    (
        {
            "search_context_cost_per_query": dict.fromkeys(
                ["search_context_size_low", "search_context_size_high"], Decimal("0.01")
            )
        },
        {"units:web_searches": "0.01"},
    ),
    (
        {
            "search_context_cost_per_query": {
                "search_context_size_low": Decimal("0.005"),
                "search_context_size_high": Decimal("0.012"),
            }
        },
        {"units:web_searches_low": "0.005", "units:web_searches_high": "0.012"},
    ),
    (
        {
            "litellm_provider": "gemini",
            "search_context_cost_per_query": {"search_context_size_medium": Decimal("0.035")},
        },
        {"units:web_search_prompts": "0.035"},
    ),
    (
        {
            "litellm_provider": "gemini",
            "web_search_billing_unit": "per_query",
            "google_maps_grounding_cost_per_query": Decimal("0.014"),
        },
        {"units:map_queries": "0.014"},
    ),
]


@pytest.mark.parametrize(("entry", "prices"), UNITS)
def test_what_is_counted_otherwise(entry, prices):
    found = shown(column({"litellm_provider": "p", **entry}).prices)
    assert {word: price for word, (price, _) in found.items()} == prices


def test_sizes_of_what_is_made_are_an_attribute():
    entry = {
        "litellm_provider": "p",
        "mode": "video_generation",
        "output_cost_per_second": 2,
        "output_cost_per_second_480p": 1,
        "output_cost_per_image_2K": 3,
    }
    assert shown(column(entry, resolution="480p").prices) == {"seconds:out": ("1", "")}
    assert shown(column(entry, resolution="2k").prices) == {"seconds:out": ("2", ""), "images": ("3", "")}


def test_explicit_caches_are_an_attribute():
    entry = {
        **TOKENS,
        "cache_read_input_token_cost": Decimal("0.0000005"),
        "explicit_cache_read_input_token_cost": Decimal("0.0000002"),
    }
    prices = shown(column(entry, cache_type="ephemeral").prices)
    assert prices["cached_input_tokens"] == ("0.0000002", "")
    assert prices["cached_audio_tokens"] == ("0.0000002", "cached_input_tokens")
