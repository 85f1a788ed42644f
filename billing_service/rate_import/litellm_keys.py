"""Which keys of litellm's price map say what, as of litellm 1.110.2: handled, ignored with a reason, or refusing the
model.

A key that speaks of a price and is in none of these tables refuses its model by name: what it would add is not known.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from billing_service.domain.catalogue.usage_kinds import Measure
from billing_service.rate_import import price_lists as to
from billing_service.rate_import.reports import NotImportableError

TIERS: Final = ("priority", "flex", "balanced", "ultrafast")
"""Suffixes of keys that are service tiers of the card by the same name."""
DECISIONS: Final = "decisions"
"""Another such suffix, of a route of its own."""
BATCH_SUFFIX: Final = "_batches"
TIER_ALIASES: Final = MappingProxyType({"fast": "priority"})

TOKEN_KEYS: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "input_cost_per_token": to.INPUT,
        "output_cost_per_token": to.OUTPUT,
        "cache_read_input_token_cost": to.CACHED,
        "cache_creation_input_token_cost": to.WRITTEN_5M,
        "cache_creation_input_token_cost_above_1hr": to.WRITTEN_1H,
        "cache_creation_input_token_cost_above_12hr": to.WRITTEN_12H,
        "output_cost_per_reasoning_token": to.REASONING,
        "input_cost_per_audio_token": to.INPUT_AUDIO,
        "cache_read_input_audio_token_cost": to.CACHED_AUDIO,
        "output_cost_per_audio_token": to.OUTPUT_AUDIO,
        "input_cost_per_image_token": to.INPUT_IMAGE,
        "cache_read_input_image_token_cost": to.CACHED_IMAGE,
        "output_cost_per_image_token": to.OUTPUT_IMAGE,
        "input_cost_per_video_token": to.units("input_video_tokens"),
        "output_cost_per_video_token": to.units("output_video_tokens"),
    }
)
"""Prices of tokens. Each may have suffixes: a threshold (`_above_200k_tokens`), then a tier or `_batches`."""

UNIT_KEYS: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "input_cost_per_request": to.REQUESTS,
        "input_cost_per_character": to.units("input_characters"),
        "output_cost_per_character": to.units("output_characters"),
        "input_cost_per_query": to.units("queries"),
        "input_cost_per_text_message": to.units("text_messages"),
        "ocr_cost_per_page": to.units("pages"),
        "annotation_cost_per_page": to.units("annotated_pages"),
        "ocr_cost_per_credit": to.units("credits"),
        "code_interpreter_cost_per_session": to.units("code_interpreter_sessions"),
        "citation_cost_per_token": to.units("citation_tokens"),
        "output_cost_per_video_per_second": to.SECONDS_OUT,
        "input_cost_per_audio_per_second": to.SECONDS_IN,
    }
)
"""Prices of other things, each of one measure. Pages may have `_batches`."""

MODE_KEYS: Final = frozenset(
    {
        "input_cost_per_second",
        "output_cost_per_second",
        "input_cost_per_image",
        "output_cost_per_image",
        "input_cost_per_pixel",
        "output_cost_per_pixel",
        "input_cost_per_video_per_second",
        "search_context_cost_per_query",
        "google_maps_grounding_cost_per_query",
    }
)
"""Prices whose measure depends on the rest of the entry: `litellm_units`."""
RESOLUTION_KEY: Final = re.compile(r"output_cost_per_(image|second)_([0-9][0-9.]*[kKp]?)", re.ASCII)
"""Prices by the size of what was made: an attribute `resolution`."""

MULTIPLIERS: Final = MappingProxyType(
    {
        "regional_processing_uplift_multiplier_eu": ("region", "eu"),
        "regional_processing_uplift_multiplier_us": ("region", "us"),
        "fedramp_uplift_multiplier": ("region", "fedramp"),
        "regional_endpoint_uplift_multiplier": ("endpoint", "regional"),
    }
)
"""Factors on all tokens, by the attribute that asks for them. Anthropic's `us` and `fast` are in
`provider_specific_entry`."""
OTHER_KEYS: Final = frozenset(
    {"tiered_pricing", "off_peak_pricing", "provider_specific_entry", "explicit_cache_read_input_token_cost"}
)

IGNORED: Final = MappingProxyType(
    {
        "input_dbu_cost_per_token": "counted in DBU, which are no USD; the entry has the same price in USD",
        "output_dbu_cost_per_token": "counted in DBU, which are no USD; the entry has the same price in USD",
        "input_cost_per_token_cache_hit": "the price of cached tokens once more",
        "cache_creation_input_audio_token_cost": "no provider reports written audio by itself, and litellm never "
        "bills by it",
        "search_free_requests": "an allowance of all calls of a day or a month, which no single call shows",
        "web_search_billing_unit": "decides the name of the unit that searches are counted in",
    }
)
REFUSING: Final = MappingProxyType(
    {
        "cost_per_second": "priced by the time of a reserved machine, not by what a request used",
        "guardrail_cost_per_unit": "no model: prices of content policies",
        "input_cost_per_video_per_second_above_8s_interval": "priced by the length of each interval of a video",
        "input_cost_per_video_per_second_above_15s_interval": "priced by the length of each interval of a video",
    }
)

_SPEAKS_OF_PRICES: Final = re.compile(r"cost|price|pricing|multiplier|uplift|_fee|dbu|surcharge|discount")
_TOKEN_KEY: Final = re.compile(
    rf"({'|'.join(sorted(TOKEN_KEYS, key=len, reverse=True))})"
    rf"(?:_above_([0-9]+)(k?)_tokens)?(?:_({'|'.join((*TIERS, DECISIONS))}|batches))?",
    re.ASCII,
)
_LONG_PROMPT_KEY: Final = re.compile(r"(.+)_above_[0-9]+k?_tokens", re.ASCII)


class TokenKey(NamedTuple):
    """A key of a token's price, in parts."""

    base: str
    threshold: int | None
    tier: str
    """The tier's or `batches`; empty for the standard tier."""


def token_key(key: str) -> TokenKey | None:
    """The parts of a key of a token's price; None for any other key."""
    found = _TOKEN_KEY.fullmatch(key)
    if found is None:
        return None
    base, number, thousands, tier = found.groups()
    return TokenKey(base, int(number) * (1_000 if thousands else 1) if number else None, tier or "")


def check_keys(entry: Mapping[str, Any]) -> None:
    """Raises NotImportableError where a key refuses the model, or is not known and speaks of a price."""
    for key, value in entry.items():
        if key in REFUSING:
            raise NotImportableError(REFUSING[key])
        if not is_known(key) and _SPEAKS_OF_PRICES.search(key) and not _same_without_threshold(key, value, entry):
            raise NotImportableError(f"{key} is a key that this importer does not know")


def is_known(key: str) -> bool:
    """Whether a table here says what the key means."""
    if (
        key in UNIT_KEYS
        or key in MODE_KEYS
        or key in MULTIPLIERS
        or key in OTHER_KEYS
        or key in IGNORED
        or key in REFUSING
    ):
        return True
    pages = key.removesuffix(BATCH_SUFFIX) in {"ocr_cost_per_page", "annotation_cost_per_page"}
    return pages or token_key(key) is not None or RESOLUTION_KEY.fullmatch(key) is not None


def _same_without_threshold(key: str, value: object, entry: Mapping[str, Any]) -> bool:
    """Whether a long prompt changes nothing: free experimental models have such keys for everything."""
    found = _LONG_PROMPT_KEY.fullmatch(key)
    return found is not None and entry.get(found[1]) == value


def number(value: object, key: str) -> Decimal | int:
    """A price of the map. Raises NotImportableError for what is no number, or below zero."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise NotImportableError(f"{key} is no number")
    if isinstance(value, Decimal) and not value.is_finite():
        raise NotImportableError(f"{key} is no number")
    if value < 0:
        raise NotImportableError(f"{key} is below zero")
    return value


def numbers(entry: Mapping[str, Any]) -> dict[str, Decimal | int]:
    """The prices of an entry's keys that are numbers by their key."""
    keys = {*UNIT_KEYS, *MODE_KEYS, "explicit_cache_read_input_token_cost"} - {"search_context_cost_per_query"}
    found: dict[str, Decimal | int] = {}
    for key, value in entry.items():
        priced = (
            key in keys
            or key.removesuffix(BATCH_SUFFIX) in UNIT_KEYS
            or token_key(key)
            or RESOLUTION_KEY.fullmatch(key)
        )
        if priced and value is not None:
            found[key] = number(value, key)
    return found
