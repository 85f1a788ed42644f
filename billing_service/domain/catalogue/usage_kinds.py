"""What a usage counts: kinds, their variants, and the words by which card files name them."""

import re
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class UsageKind(IntEnum):
    """What one usage line counts. The numbers are the wire's. Lines are disjoint: no token is in two of them."""

    INPUT_TOKENS = 1
    """Fresh text of the prompt: neither cached nor written, neither audio nor image."""
    CACHED_INPUT_TOKENS = 2
    CACHE_WRITE_TOKENS = 3
    """Variant: how long the provider keeps them. Empty means 5m."""
    OUTPUT_TOKENS = 4
    """Without reasoning, audio and image."""
    REASONING_TOKENS = 5
    INPUT_AUDIO_TOKENS = 6
    CACHED_AUDIO_TOKENS = 7
    OUTPUT_AUDIO_TOKENS = 8
    INPUT_IMAGE_TOKENS = 9
    CACHED_IMAGE_TOKENS = 10
    OUTPUT_IMAGE_TOKENS = 11
    IMAGES = 12
    """Images that were made."""
    SECONDS = 13
    """Of audio or video, counted in thousandths; priced by the second. Variant: in or out."""
    REQUESTS = 14
    UNITS = 15
    """Whatever else a provider counts. Variant: its name."""


VARIANTS: Final = MappingProxyType(
    {UsageKind.CACHE_WRITE_TOKENS: ("5m", "30m", "1h", "12h"), UsageKind.SECONDS: ("in", "out")}
)
"""Kinds of which each line has one of these variants. UNITS takes any name; the other kinds have no variant."""

CACHE_WRITE_DEFAULT: Final = "5m"
UNIT_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
THOUSANDTHS: Final = 1_000

PROMPT_KINDS: Final = frozenset(
    {
        UsageKind.INPUT_TOKENS,
        UsageKind.CACHED_INPUT_TOKENS,
        UsageKind.CACHE_WRITE_TOKENS,
        UsageKind.INPUT_AUDIO_TOKENS,
        UsageKind.CACHED_AUDIO_TOKENS,
        UsageKind.INPUT_IMAGE_TOKENS,
        UsageKind.CACHED_IMAGE_TOKENS,
    }
)
"""What the size of a prompt is the sum of."""


class Measure(NamedTuple):
    """What a price is for: a kind with its variant. Build it with `measure`, which knows the variants."""

    kind: UsageKind
    variant: str = ""

    @property
    def word(self) -> str:
        """As card files and refusals say it: `output_tokens`, `cache_write_tokens:1h`, `units:web_searches`."""
        name = self.kind.name.lower()
        return f"{name}:{self.variant}" if self.variant else name

    @property
    def counts_per_unit(self) -> int:
        """How many of a line's quantity make what the price is for."""
        return THOUSANDTHS if self.kind is UsageKind.SECONDS else 1


def measure(kind: UsageKind, variant: str = "") -> Measure:
    """The measure of a kind and a variant; an empty variant of cache writes means 5m. Raises ValueError for a variant
    that is none."""
    if kind is UsageKind.UNITS:
        if UNIT_NAME.fullmatch(variant) is None:
            raise ValueError(f"the name of a unit must match {UNIT_NAME.pattern}, not {variant!r}")
        return Measure(kind, variant)
    variants = VARIANTS.get(kind)
    if variants is None:
        if variant:
            raise ValueError(f"{kind.name.lower()} has no variants, so not {variant!r} either")
        return Measure(kind)
    if not variant and kind is UsageKind.CACHE_WRITE_TOKENS:
        variant = CACHE_WRITE_DEFAULT
    if variant not in variants:
        raise ValueError(f"the variant of {kind.name.lower()} must be one of {', '.join(variants)}, not {variant!r}")
    return Measure(kind, variant)


def measure_of_word(word: str) -> Measure:
    """The measure that `Measure.word` names. Raises ValueError for any other text."""
    name, _, variant = word.partition(":")
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f"{name!r} is no kind of usage; there are {', '.join(_KINDS)}")
    return measure(kind, variant)


_KINDS: Final = MappingProxyType({kind.name.lower(): kind for kind in UsageKind})
