"""What each measure of a card costs by the units of genai-prices' data.

A unit has dimensions (family, direction, modality, kind of token); one with more of them is part of one with fewer. The
library counts each token by the most special unit that has a price, so a measure costs what the most special priced
unit around its own unit costs.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from billing_service.domain.catalogue.usage_kinds import Measure
from billing_service.rate_import import price_lists as to
from billing_service.rate_import.price_lists import Rate
from billing_service.rate_import.reports import NotImportableError

MEASURED: Final[Mapping[Measure, str]] = MappingProxyType(
    {
        to.INPUT: "input_text_tokens",
        to.CACHED: "cache_text_read_tokens",
        to.WRITTEN_5M: "cache_text_write_5m_tokens",
        to.WRITTEN_30M: "cache_text_write_tokens",
        to.WRITTEN_1H: "cache_text_write_1h_tokens",
        to.OUTPUT: "output_text_tokens",
        to.REASONING: "output_text_reasoning_tokens",
        to.INPUT_AUDIO: "input_audio_tokens",
        to.CACHED_AUDIO: "cache_audio_read_tokens",
        to.OUTPUT_AUDIO: "output_audio_tokens",
        to.INPUT_IMAGE: "input_image_tokens",
        to.CACHED_IMAGE: "cache_image_read_tokens",
        to.OUTPUT_IMAGE: "output_image_tokens",
        to.SECONDS_IN: "input_audio_seconds",
        to.SECONDS_OUT: "output_audio_seconds",
        to.units("pages"): "input_document_pages",
        to.units("annotated_pages"): "input_annotated_document_pages",
    }
)
"""The unit of each measure; a unit around it may have the price."""
COUNTED: Final[Mapping[Measure, str]] = MappingProxyType(
    {
        to.REQUESTS: "requests",
        to.units("input_characters"): "input_characters",
        to.units("text_messages"): "input_text_messages",
        to.units("input_pixels"): "input_pixels",
        to.units("queries"): "rerank_searches",
        to.units("web_searches"): "web_searches",
        to.units("social_searches"): "social_searches",
        to.units("file_searches"): "storage_searches",
        to.units("code_executions"): "code_executions",
        to.units("citation_tokens"): "output_citation_tokens",
        to.units("input_video_tokens"): "input_video_tokens",
        to.units("output_video_tokens"): "output_video_tokens",
    }
)
"""Measures that have a price only where their own unit has one."""
WITHOUT_THRESHOLDS: Final = frozenset({to.units("input_video_tokens"), to.units("output_video_tokens")})
"""They would count for the size of a prompt, and units do not."""
OWN_UNITS: Final = MappingProxyType(
    {
        "input_tokens": to.INPUT,
        "cache_read_tokens": to.CACHED,
        "cache_write_tokens": to.WRITTEN_5M,
        "output_tokens": to.OUTPUT,
        "cache_write_5m_tokens": to.WRITTEN_5M,
        "cache_write_1h_tokens": to.WRITTEN_1H,
        "output_reasoning_tokens": to.REASONING,
    }
)
"""Units whose price is a measure's own although the measure's unit is more special."""


class Unit(NamedTuple):
    """One unit of the data."""

    usage_key: str
    price_key: str
    per: int
    dimensions: frozenset[tuple[str, str]]


class Priced(NamedTuple):
    """A price of the data: a number, or one that steps at thresholds."""

    unit: Unit
    base: Decimal | int
    steps: tuple[tuple[int, Decimal | int], ...]
    borrowed: bool = False
    """It is the standard tier's."""

    def rate(self, above: int, fallback: str) -> Rate:
        """What holds for a prompt above that threshold (0: none)."""
        usd = self.base
        for start, price in self.steps:
            if start <= above:
                usd = price
        return Rate(usd, fallback or (to.STANDARD_TIER_WORD if self.borrowed else ""), self.unit.per)


class Units:
    """The units of the data by their keys."""

    def __init__(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        units = [
            Unit(key, unit["price_key"], unit["per"], frozenset(unit["dimensions"].items()))
            for key, unit in data.items()
        ]
        self._by_usage_key = {unit.usage_key: unit for unit in units}
        self._by_price_key = {unit.price_key: unit for unit in units}

    def priced(self, prices: Mapping[str, Any], borrowed: AbstractSet[str] = frozenset()) -> dict[str, Priced]:
        """Prices by the usage key of their unit; those of the price keys in `borrowed` are the standard tier's.

        Raises NotImportableError for a price of a unit that is not known or that no line counts, and for what is no
        price.
        """
        found = {}
        for price_key, value in prices.items():
            unit = self._by_price_key.get(price_key)
            if value is None:
                continue
            if unit is None:
                raise NotImportableError(f"{price_key} is a price of a unit that the data does not describe")
            base, steps = _steps(value, price_key)
            found[unit.usage_key] = Priced(unit, base, steps, price_key in borrowed)
        unmeasured = [
            key
            for key in found
            if not any(self._around(own, found).get(key) for own in (*MEASURED.values(), *COUNTED.values()))
        ]
        if unmeasured:
            raise NotImportableError(f"{unmeasured[0]} is a unit that no usage line counts")
        return found

    def rates(self, priced: Mapping[str, Priced], above: int = 0) -> dict[Measure, Rate]:
        """The price of every measure that has one, for a prompt above that threshold."""
        found = dict(self._rates(priced, above))
        if any(price.steps for price in priced.values()):
            found = {measure: rate for measure, rate in found.items() if measure not in WITHOUT_THRESHOLDS}
        return found

    def _rates(self, priced: Mapping[str, Priced], above: int) -> Iterator[tuple[Measure, Rate]]:
        for measure, usage_key in COUNTED.items():
            if usage_key in priced:
                yield measure, priced[usage_key].rate(above, "")
        for measure, usage_key in MEASURED.items():
            around = self._around(usage_key, priced)
            if around:
                closest = max(around.values(), key=lambda price: len(price.unit.dimensions))
                own = closest.unit.usage_key == usage_key or OWN_UNITS.get(closest.unit.usage_key) == measure
                yield measure, closest.rate(above, "" if own else _word(closest.unit, measure))

    def _around(self, usage_key: str, priced: Mapping[str, Priced]) -> dict[str, Priced]:
        """The priced units that the unit is, or is part of."""
        dimensions = self._by_usage_key[usage_key].dimensions
        return {key: price for key, price in priced.items() if price.unit.dimensions <= dimensions}


def _word(unit: Unit, measure: Measure) -> str:
    """How the card says whose price it is."""
    if unit.usage_key == "audio_seconds":
        return ""
    if measure == to.WRITTEN_30M and unit.usage_key == "cache_write_tokens":
        return to.WRITTEN_5M.word
    known = OWN_UNITS.get(unit.usage_key)
    return known.word if known is not None else unit.usage_key


def _steps(value: Any, key: str) -> tuple[Decimal | int, tuple[tuple[int, Decimal | int], ...]]:
    if not isinstance(value, Mapping):
        return _number(value, key), ()
    if set(value) != {"base", "tiers"} or not isinstance(value["tiers"], list):
        raise NotImportableError(f"{key} is no price")
    steps = tuple(sorted((_start(tier, key), _number(tier.get("price"), key)) for tier in value["tiers"]))
    return _number(value["base"], key), steps


def _start(tier: Any, key: str) -> int:
    start = tier.get("start") if isinstance(tier, Mapping) else None
    if type(start) is not int or start < 1:
        raise NotImportableError(f"{key} has a step without a threshold above 0")
    return start


def _number(value: object, key: str) -> Decimal | int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite() or value < 0:
        raise NotImportableError(f"{key} is no price")
    return value
