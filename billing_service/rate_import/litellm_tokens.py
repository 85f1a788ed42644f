"""Prices of tokens of one entry of litellm's map, as litellm 1.110.2 finds them, with each fall-back noted.

litellm looks a price up when a call is priced, through tiers, thresholds and fall-backs. Here the same way is gone
once, for each tier and threshold, so that the card has every price that litellm would find, and says which of them are
another's.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from billing_service.domain.catalogue.usage_kinds import Measure
from billing_service.rate_import import price_lists as to
from billing_service.rate_import.litellm_keys import BATCH_SUFFIX, TOKEN_KEYS, token_key
from billing_service.rate_import.price_lists import BASE_PRICE_WORD, INPUT, OUTPUT, STANDARD_TIER_WORD, Rate

Numbers = Mapping[str, Decimal | int]

READ, WRITTEN = "cache_read_input_token_cost", "cache_creation_input_token_cost"
INPUT_KEY, OUTPUT_KEY = "input_cost_per_token", "output_cost_per_token"
THRESHOLD_KEYS: Final = (INPUT_KEY, OUTPUT_KEY, READ, WRITTEN)
AUDIO_KEY: Final = "input_cost_per_audio_token"
LIFETIMES: Final = {to.WRITTEN_1H: f"{WRITTEN}_above_1hr", to.WRITTEN_12H: f"{WRITTEN}_above_12hr"}


def thresholds(entry: Numbers, tier: str) -> list[int]:
    """The sizes of a prompt at which a price of that tier changes, ascending. Keys of the standard tier count for every
    other one."""
    found = set()
    for key in entry:
        parts = token_key(key)
        if parts is not None and parts.threshold is not None and parts.tier in {"", tier}:
            found.add(parts.threshold)
    return sorted(found)


class TokenPrices:
    """Finds prices for one tier (empty: the standard one) and the thresholds that a prompt is above."""

    def __init__(
        self, entry: Numbers, tier: str = "", above: tuple[int, ...] = (), assumed: Mapping[str, str] = {}
    ) -> None:
        """`assumed`: keys that are not in the map but in litellm's code, each with its words."""
        self._tier = tier
        self._above = above
        self._assumed = assumed
        self._values: dict[tuple[str, int | None, str], Decimal | int] = {}
        for key, value in entry.items():
            parts = token_key(key)
            if parts is not None:
                self._values[parts.base, parts.threshold, parts.tier] = value

    def all(self) -> dict[Measure, Rate]:
        """Every price of tokens. A kind that litellm would price at nothing for want of a key is absent."""
        fresh, out = self._step(INPUT_KEY), self._output()
        found: dict[Measure, Rate | None] = {INPUT: fresh, OUTPUT: out}
        read = self._step(READ) or _other(fresh, INPUT)
        written = self._step(WRITTEN) or _other(fresh, INPUT)
        found |= {to.CACHED: read, to.WRITTEN_5M: written, to.WRITTEN_30M: _other(written, to.WRITTEN_5M)}
        found |= {measure: self._lifetime(key) or _other(written, to.WRITTEN_5M) for measure, key in LIFETIMES.items()}
        found[to.REASONING] = self._reasoning(out)
        found[to.INPUT_AUDIO] = self._audio() or _other(fresh, INPUT)
        found[to.INPUT_IMAGE] = self._plain("input_cost_per_image_token") or _other(fresh, INPUT)
        found[to.CACHED_AUDIO] = self._plain("cache_read_input_audio_token_cost") or _other(read, to.CACHED)
        found[to.CACHED_IMAGE] = self._plain("cache_read_input_image_token_cost") or _other(read, to.CACHED)
        found[to.OUTPUT_AUDIO] = self._plain("output_cost_per_audio_token") or _other(out, OUTPUT)
        found[to.OUTPUT_IMAGE] = self._plain("output_cost_per_image_token") or _other(out, OUTPUT)
        for key in ("input_cost_per_video_token", "output_cost_per_video_token"):
            found[TOKEN_KEYS[key]] = self._plain(key)
        return {measure: rate for measure, rate in found.items() if rate is not None}

    def _value(self, base: str, threshold: int | None, tier: str) -> Rate | None:
        value = self._values.get((base, threshold, tier))
        assumed = self._assumed.get(base, "") if threshold is None and not tier else ""
        return None if value is None else Rate(value, assumed)

    def _plain(self, base: str) -> Rate | None:
        """The tier's own price, else the standard tier's."""
        own = self._value(base, None, self._tier)
        if own is not None or not self._tier:
            return own
        standard = self._value(base, None, "")
        return None if standard is None else standard.instead_of(STANDARD_TIER_WORD)

    def _step(self, base: str) -> Rate | None:
        """The price after each threshold that has one of its own, for the tier or else for the standard tier."""
        found = self._plain(base)
        stepped = not self._above
        for threshold in self._above:
            own = self._value(base, threshold, self._tier)
            standard = self._value(base, threshold, "") if self._tier and own is None else None
            if own is not None:
                found, stepped = own, True
            elif standard is not None:
                found, stepped = standard.instead_of(STANDARD_TIER_WORD), True
            else:
                stepped = False
        return found if found is None or stepped else found.instead_of(BASE_PRICE_WORD)

    def _output(self) -> Rate | None:
        """Models that make images alone have no price of text, or 0: their output is then image tokens."""
        plain = self._plain(OUTPUT_KEY)
        image = self._value("output_cost_per_image_token", None, "")
        if image is None or (plain is not None and plain.usd):
            return self._step(OUTPUT_KEY)
        stepped = any(
            self._value(OUTPUT_KEY, threshold, tier) is not None
            for threshold in self._above
            for tier in {"", self._tier}
        )
        return self._step(OUTPUT_KEY) if stepped else image.instead_of(to.OUTPUT_IMAGE.word)

    def _lifetime(self, base: str) -> Rate | None:
        """Of a longer lifetime: a threshold counts with the tier's own key alone."""
        found, word = self._plain(base), BASE_PRICE_WORD if self._above else ""
        for threshold in self._above:
            own = self._value(base, threshold, self._tier)
            if own is not None:
                found, word = own, ""
        return found if found is None or not word else found.instead_of(word)

    def _reasoning(self, out: Rate | None) -> Rate | None:
        base = "output_cost_per_reasoning_token"
        own = self._value(base, None, self._tier)
        if own is not None:
            return own
        if self._tier and self._value(OUTPUT_KEY, None, self._tier) is not None:
            return _other(out, OUTPUT)
        return self._plain(base) or _other(out, OUTPUT)

    def _audio(self) -> Rate | None:
        """Of audio in the prompt: the highest threshold that has a price for the tier or the standard tier."""
        for threshold in reversed(self._above):
            own = self._value(AUDIO_KEY, threshold, self._tier)
            standard = self._value(AUDIO_KEY, threshold, "")
            if own is not None:
                return own
            if standard is not None:
                return standard.instead_of(STANDARD_TIER_WORD)
        found = self._plain(AUDIO_KEY)
        return found.instead_of(BASE_PRICE_WORD) if found is not None and self._above else found


def batch_tokens(entry: Numbers, above: tuple[int, ...]) -> dict[Measure, Rate]:
    """Prices of tokens in a batch. Where litellm would bill half the standard price for want of a key, the kind is
    absent."""
    prices = _Batch(entry, above)
    fresh, out = prices.own(INPUT_KEY), prices.own(OUTPUT_KEY)
    found: dict[Measure, Rate | None] = {INPUT: fresh, OUTPUT: out, to.REASONING: _other(out, OUTPUT)}
    if fresh is None:
        return {measure: rate for measure, rate in found.items() if rate is not None}
    read = prices.own(READ) or prices.standard(READ) or _other(fresh, INPUT)
    written = prices.own(WRITTEN) or _other(fresh, INPUT)
    found |= {to.CACHED: read, to.WRITTEN_5M: written, to.WRITTEN_30M: _other(written, to.WRITTEN_5M)}
    found |= {measure: prices.own(key) or _other(written, to.WRITTEN_5M) for measure, key in LIFETIMES.items()}
    found[to.INPUT_AUDIO] = prices.own(AUDIO_KEY) or _other(fresh, INPUT)
    found[to.INPUT_IMAGE] = prices.flat("input_cost_per_image_token") or _other(fresh, INPUT)
    own_read = prices.own(READ)
    fallback_read = (
        _other(own_read, to.CACHED)
        if own_read
        else prices.standard("cache_read_input_audio_token_cost") or _other(read, to.CACHED)
    )
    found[to.CACHED_AUDIO] = prices.flat("cache_read_input_audio_token_cost") or fallback_read
    found[to.CACHED_IMAGE] = _other(read, to.CACHED)
    image, audio = "output_cost_per_image_token", "output_cost_per_audio_token"
    found[to.OUTPUT_IMAGE] = prices.flat(image) or (None if image in entry else _other(out, OUTPUT))
    found[to.OUTPUT_AUDIO] = None if audio in entry else _other(out, OUTPUT)
    video = "input_cost_per_video_token"
    found[TOKEN_KEYS[video]] = prices.flat(video)
    return {measure: rate for measure, rate in found.items() if rate is not None}


class _Batch:
    """Each price steps at thresholds of its own: those that have a key for batches."""

    def __init__(self, entry: Numbers, above: tuple[int, ...]) -> None:
        self._values = {
            (parts.base, parts.threshold, parts.tier): value
            for key, value in entry.items()
            if (parts := token_key(key))
        }
        self._above = above

    def own(self, base: str) -> Rate | None:
        return self._highest(base, "batches")

    def flat(self, base: str) -> Rate | None:
        value = self._values.get((base, None, "batches"))
        return None if value is None else Rate(value)

    def standard(self, base: str) -> Rate | None:
        found = self._highest(base, "")
        return None if found is None else found.instead_of(STANDARD_TIER_WORD)

    def _highest(self, base: str, tier: str) -> Rate | None:
        for threshold in reversed(self._above):
            value = self._values.get((base, threshold, tier))
            if value is not None:
                return Rate(value)
        found = self._values.get((base, None, tier))
        return None if found is None else Rate(found, BASE_PRICE_WORD if self._above else "")


def _other(rate: Rate | None, measure: Measure) -> Rate | None:
    """Another measure's price, noted as such."""
    return None if rate is None else rate.instead_of(measure.word)


def has_batch(entry: Numbers) -> bool:
    """Whether the entry has a price of its own for batches."""
    return any(key.endswith(BATCH_SUFFIX) for key in entry)
