"""Prices of an entry of litellm's map that are not for tokens, and the attributes that change prices."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from billing_service.domain.catalogue.rate_cards import Attributes
from billing_service.domain.catalogue.usage_kinds import Measure
from billing_service.rate_import import price_lists as to
from billing_service.rate_import.litellm_keys import BATCH_SUFFIX, MULTIPLIERS, RESOLUTION_KEY, UNIT_KEYS, number
from billing_service.rate_import.litellm_tokens import Numbers
from billing_service.rate_import.price_lists import Rate
from billing_service.rate_import.reports import NotImportableError

IMAGE_MODES: Final = frozenset({"image_generation", "image_edit"})
GOOGLE: Final = ("gemini", "vertex_ai")
SEARCH_SIZES: Final = ("low", "medium", "high")
NEUTRAL: Final[Mapping[str, Attributes]] = {
    "region": (("region", "global"), ("region", "not_available")),
    "speed": (("speed", "standard"),),
    "endpoint": (("endpoint", "global"),),
}
"""Values that are priced like an absent attribute, where an entry has prices by the attribute at all."""


def unit_rates(numbers: Numbers, entry: Mapping[str, Any], provider: str, model: str) -> dict[Measure, Rate]:
    """Prices of everything but tokens, at the standard tier."""
    mode = entry.get("mode")
    found = {UNIT_KEYS[key]: Rate(value) for key, value in numbers.items() if key in UNIT_KEYS}
    pages, annotated = UNIT_KEYS["ocr_cost_per_page"], UNIT_KEYS["annotation_cost_per_page"]
    if pages in found and annotated not in found:
        found[annotated] = found[pages].instead_of(pages.word)
    if "input_cost_per_video_per_second" in numbers:
        found[to.units("input_video_milliseconds")] = Rate(numbers["input_cost_per_video_per_second"], per=1_000)
    found |= _images(numbers, entry, mode)
    found |= _seconds(numbers, mode)
    found |= dict(_searches(entry, provider, model))
    return found


def batch_units(numbers: Numbers) -> dict[Measure, Rate]:
    """Prices of pages in a batch."""
    return {
        UNIT_KEYS[key.removesuffix(BATCH_SUFFIX)]: Rate(value)
        for key, value in numbers.items()
        if key.removesuffix(BATCH_SUFFIX) in UNIT_KEYS and key.endswith(BATCH_SUFFIX)
    }


def _images(numbers: Numbers, entry: Mapping[str, Any], mode: object) -> dict[Measure, Rate]:
    """Images that are made, by number or by pixel, and images that are shown. In some entries of models that make
    images alone, the price of an image made is under the key of one shown."""
    made, shown = numbers.get("output_cost_per_image"), numbers.get("input_cost_per_image")
    if mode in IMAGE_MODES and made is None:
        made, shown = shown, None
    found = {to.IMAGES: Rate(made)} if made is not None else {}
    if shown is not None and "minimax_free_input_images" not in (entry.get("provider_specific_entry") or {}):
        found[to.units("input_images")] = Rate(shown)
    pixels = [value for key in ("input_cost_per_pixel", "output_cost_per_pixel") if (value := numbers.get(key))]
    if len(pixels) > 1:
        raise NotImportableError("priced by pixels of what is shown and of what is made")
    return found | {to.units("pixels"): Rate(value) for value in pixels}


def _seconds(numbers: Numbers, mode: object) -> dict[Measure, Rate]:
    """litellm bills one of the two keys: the output's where it is above 0."""
    of_output, of_input = numbers.get("output_cost_per_second"), numbers.get("input_cost_per_second")
    billed = of_output or of_input
    if billed is None:
        return {}
    listens = mode in {"audio_transcription", "realtime"} or not of_output
    return {to.SECONDS_IN if listens else to.SECONDS_OUT: Rate(billed)}


def _searches(entry: Mapping[str, Any], provider: str, model: str) -> Iterator[tuple[Measure, Rate]]:
    """Fees of searches. Google bills some models by the prompt that searched, whatever number of searches it made."""
    by_prompt = provider in GOOGLE and "claude" not in model and entry.get("web_search_billing_unit") != "per_query"
    sizes = entry.get("search_context_cost_per_query")
    if sizes is not None:
        if (
            not isinstance(sizes, Mapping)
            or not {f"search_context_size_{size}" for size in SEARCH_SIZES} >= set(sizes) > set()
        ):
            raise NotImportableError("search_context_cost_per_query has other sizes than low, medium and high")
        fees = {
            size: number(sizes[key], key) for size in SEARCH_SIZES if (key := f"search_context_size_{size}") in sizes
        }
        name = "web_search_prompts" if by_prompt else "web_searches"
        if len(set(fees.values())) == 1:
            yield to.units(name), Rate(next(iter(fees.values())))
        else:
            yield from ((to.units(f"{name}_{size}"), Rate(fee)) for size, fee in fees.items())
    maps = entry.get("google_maps_grounding_cost_per_query")
    if maps is not None:
        yield (
            to.units("map_prompts" if by_prompt else "map_queries"),
            Rate(number(maps, "google_maps_grounding_cost_per_query")),
        )


def resolutions(numbers: Numbers) -> Iterator[tuple[Attributes, dict[Measure, Rate]]]:
    """What is made in a size that has a price of its own."""
    for key, value in numbers.items():
        found = RESOLUTION_KEY.fullmatch(key)
        if found is not None:
            yield (
                (("resolution", found[2].lower()),),
                {to.IMAGES if found[1] == "image" else to.SECONDS_OUT: Rate(value)},
            )


def multipliers(entry: Mapping[str, Any], provider: str) -> Iterator[tuple[Attributes, Decimal, bool]]:
    """Attributes that multiply the prices of tokens, and whether they do so in batches too."""
    for key, attribute in MULTIPLIERS.items():
        if key in entry:
            yield (attribute,), Decimal(number(entry[key], key)), True
    specific = entry.get("provider_specific_entry") or {}
    if provider == "anthropic":
        factors = {
            attribute: Decimal(number(specific[key], key))
            for key, attribute in (("us", ("region", "us")), ("fast", ("speed", "fast")))
            if key in specific
        }
        yield from (((attribute,), factor, False) for attribute, factor in factors.items())
        if len(factors) > 1:
            region, speed = factors.values()
            yield tuple(factors), to.product(region, speed), False


def neutral_attributes(columns_attributes: Iterator[str], provider: str) -> Attributes:
    """Neutral values of the attributes that have columns; Anthropic's replies name speed and region of every call."""
    names = set(columns_attributes) | ({"region", "speed"} if provider == "anthropic" else set())
    return tuple(sorted(pair for name in names for pair in NEUTRAL.get(name, ())))
