"""Rate cards: what usage costs, as data. A card never guesses: what it has no price for is refused, never billed at
another price.

A card has entries of a provider and a pattern of its model names. An entry has columns, one for each service tier, set
of attributes and hours of the week. A column has prices by measure, and others for prompts above a size. A fall-back,
such as the input price for cached tokens, is a price like any other. It is noted when the card is made, and never
looked for when a call is priced.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from billing_service.domain.catalogue.moments import Hours
from billing_service.domain.catalogue.usage_kinds import Measure

MARKUP_PPM_DEFAULT: Final = 150_000
"""15 %, in millionths."""
STANDARD_TIER: Final = ""
STANDARD_TIER_NAMES: Final = frozenset({"", "default", "standard"})

DATED: Final = "*"
WIDE: Final = "**"
_DATED_SUFFIX: Final = re.compile(r"-20[0-9]{2}(-?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])", re.ASCII)
_DATED_SUFFIX_LENGTHS: Final = (len("-2026-11-30"), len("-20261130"))

Attributes = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""
Names = tuple[str, str, str, Attributes]
"""Provider, model, service tier and attributes of a usage."""


class Rule(StrEnum):
    """How a model's name found its entry, in the order in which they are tried."""

    LITERAL = "literal"
    ALIAS = "alias"
    DATED = "dated"
    WIDE = "wide"


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """The price of one unit: a million of them for $1.25 is 1,250,000,000,000 of 1e-18 USD."""

    usd_e18: int
    fallback: str = ""
    """Whence the price is, where the source has none of its own for this: `input_tokens`, `standard tier`, … Empty: its
    own."""


Prices = Mapping[Measure, UnitPrice]


@dataclass(frozen=True, slots=True)
class PromptTier:
    """The prices of the whole request where its prompt is larger than `above_tokens`."""

    above_tokens: int
    prices: Prices


@dataclass(frozen=True, slots=True)
class Column:
    """Prices for one service tier, exactly these attributes, and these hours (none: the rest of the week)."""

    prices: Prices
    service_tier: str = STANDARD_TIER
    attributes: Attributes = ()
    hours: tuple[Hours, ...] = ()
    prompt_tiers: tuple[PromptTier, ...] = ()
    """Ascending."""

    def prices_of(self, prompt_tokens: int) -> tuple[int, Prices]:
        """The threshold that the prompt is above (0: none) and the prices that hold for it."""
        above, prices = 0, self.prices
        for tier in self.prompt_tiers:
            if prompt_tokens <= tier.above_tokens:
                break
            above, prices = tier.above_tokens, tier.prices
        return above, prices


@dataclass(frozen=True, slots=True)
class Entry:
    """What one provider's models of a name cost. `model` is literal, or ends in `*` (a dated suffix, or nothing) or
    `**` (anything)."""

    provider: str
    model: str
    columns: tuple[Column, ...] = ()
    neutral_attributes: Attributes = ()
    """Values that are priced like an absent attribute: region=global, speed=standard. A name may be there with several
    values."""
    provider_cost: bool = False
    """The provider says what each call cost, and that is the price. Such an entry is literal and has no columns."""

    @property
    def rule(self) -> Rule:
        """How a model's name matches the pattern."""
        if self.model.endswith(WIDE):
            return Rule.WIDE
        return Rule.DATED if self.model.endswith(DATED) else Rule.LITERAL

    @property
    def prefix(self) -> str:
        """The pattern without its stars."""
        return self.model.removesuffix(WIDE) if self.rule is Rule.WIDE else self.model.removesuffix(DATED)


@dataclass(frozen=True, slots=True)
class Alias:
    """Another literal name for what one entry is for. The entry may be of another provider."""

    provider: str
    name: str
    to_provider: str
    to_model: str
    """The entry's pattern as it is written."""


@dataclass(frozen=True, slots=True)
class Markup:
    """What is added for one provider, or for one entry of it; `model` is the entry's pattern, empty for all of them."""

    provider: str
    model: str
    markup_ppm: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where the prices come from: `by hand`, or a library and its version."""

    name: str = "by hand"
    version: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """The entry for a model's name, and how it was found."""

    entry: Entry
    rule: Rule


@dataclass(frozen=True)
class RateCard:
    """One version of all prices. Cards from files and importers are checked (`rate_card_checks`); one made in code
    should be."""

    version: str
    effective_time_us: int
    entries: tuple[Entry, ...]
    aliases: tuple[Alias, ...] = ()
    markup_ppm: int = MARKUP_PPM_DEFAULT
    markups: tuple[Markup, ...] = ()
    service_tier_aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of service tiers: fast -> priority. Empty, `default` and `standard` are the standard tier in every
    card."""
    source: Source = Source()
    _index: "_Index" = field(init=False, repr=False, compare=False)
    _markups: Mapping[tuple[str, str], int] = field(init=False, repr=False, compare=False)
    remembered: dict[Names, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What pricing has found by names before. Calls name the same few models again and again."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _Index(self.entries, self.aliases))
        object.__setattr__(
            self, "_markups", {(markup.provider, markup.model): markup.markup_ppm for markup in self.markups}
        )

    def find(self, provider: str, model: str) -> Match | None:
        """The entry for that model of that provider: literal, alias, dated pattern, wide pattern, the longest first.
        Names are compared character by character; nothing ever matches without the provider."""
        return self._index.find(provider, model)

    def markup_of(self, entry: Entry) -> int:
        """Millionths added to what the entry's prices say: the entry's own, its provider's, else the card's."""
        of_provider = self._markups.get((entry.provider, ""), self.markup_ppm)
        return self._markups.get((entry.provider, entry.model), of_provider)

    def service_tier(self, name: str) -> str:
        """The column's tier that a service tier's name means; empty for the standard tier."""
        name = self.service_tier_aliases.get(name, name)
        return STANDARD_TIER if name in STANDARD_TIER_NAMES else name

    def wide_patterns(self) -> list[Entry]:
        """Entries whose pattern matches any suffix: each may price a model that nobody has seen yet."""
        return [entry for entry in self.entries if entry.rule is Rule.WIDE]


class _Index:
    """Where the entry for a name is found without a search."""

    def __init__(self, entries: Sequence[Entry], aliases: Iterable[Alias]) -> None:
        self._by_rule: dict[Rule, dict[tuple[str, str], Entry]] = {rule: {} for rule in Rule}
        for entry in entries:
            self._by_rule[entry.rule].setdefault((entry.provider, entry.prefix), entry)
        by_pattern = {(entry.provider, entry.model): entry for entry in entries}
        for alias in aliases:
            target = by_pattern.get((alias.to_provider, alias.to_model))
            if target is not None:
                self._by_rule[Rule.ALIAS].setdefault((alias.provider, alias.name), target)
        self._wide_lengths: dict[str, list[int]] = {}
        for provider, prefix in self._by_rule[Rule.WIDE]:
            self._wide_lengths.setdefault(provider, []).append(len(prefix))
        for lengths in self._wide_lengths.values():
            lengths.sort(reverse=True)

    def find(self, provider: str, model: str) -> Match | None:
        for rule in (Rule.LITERAL, Rule.ALIAS):
            entry = self._by_rule[rule].get((provider, model))
            if entry is not None:
                return Match(entry, rule)
        for prefix in _undated(model):
            entry = self._by_rule[Rule.DATED].get((provider, prefix))
            if entry is not None:
                return Match(entry, Rule.DATED)
        for length in self._wide_lengths.get(provider, ()):
            entry = self._by_rule[Rule.WIDE].get((provider, model[:length])) if length <= len(model) else None
            if entry is not None:
                return Match(entry, Rule.WIDE)
        return None


def _undated(model: str) -> Iterator[str]:
    """The prefixes that `*` may follow in a pattern for the name, the longest first: the name itself, and without a
    dated suffix."""
    yield model
    prefixes = {model[:-length] for length in _DATED_SUFFIX_LENGTHS if _DATED_SUFFIX.fullmatch(model[-length:])}
    prefixes |= {model[:at] for at, character in enumerate(model) if character == "@" and at + 1 < len(model)}
    yield from sorted(prefixes, key=len, reverse=True)
