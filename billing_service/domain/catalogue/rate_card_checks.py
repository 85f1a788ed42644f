"""What a card must be beyond the shape of its parts: names once each, targets that exist, hours that leave no doubt."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from billing_service.domain.catalogue.rate_cards import STANDARD_TIER_NAMES, Column, Entry, RateCard, Rule
from billing_service.domain.catalogue.usage_kinds import PROMPT_KINDS


class CardInvalid(ValueError):  # noqa: N818 - named like the other typed "no"s of the domain
    """A card that nothing is priced by. Each of `problems` names the path of what is wrong, as in the card's file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def checked(card: RateCard) -> RateCard:
    """The card itself. Raises CardInvalid with every problem found."""
    problems = list(card_problems(card))
    if problems:
        raise CardInvalid(problems)
    return card


def card_problems(card: RateCard) -> Iterator[str]:
    """Whatever is wrong between the parts of a card, each with its path."""
    yield from _twice("entries", [(entry.provider, entry.model) for entry in card.entries])
    yield from _twice("aliases", [(alias.provider, alias.name) for alias in card.aliases])
    yield from _twice("markups", [(markup.provider, markup.model) for markup in card.markups])
    for number, entry in enumerate(card.entries):
        yield from (f"entries[{number}]{problem}" for problem in entry_problems(entry))
    yield from _alias_problems(card)
    named = {(entry.provider, entry.model) for entry in card.entries} | {(entry.provider, "") for entry in card.entries}
    for number, markup in enumerate(card.markups):
        if (markup.provider, markup.model) not in named:
            yield f"markups[{number}]: no entry has this provider and model"
    for name, tier in card.service_tier_aliases.items():
        if name in STANDARD_TIER_NAMES:
            yield f"service_tier_aliases.{name}: this name is the standard tier in every card"
        if tier in card.service_tier_aliases:
            yield f"service_tier_aliases.{name}: leads to {tier!r}, which is an alias itself"


def _twice(path: str, names: Sequence[tuple[str, str]]) -> Iterator[str]:
    first: dict[tuple[str, str], int] = {}
    for number, name in enumerate(names):
        before = first.setdefault(name, number)
        if before != number:
            yield f"{path}[{number}]: {' '.join(part for part in name if part)!r} is there before, at {path}[{before}]"


def _alias_problems(card: RateCard) -> Iterator[str]:
    named = {(entry.provider, entry.model): entry.rule for entry in card.entries}
    for number, alias in enumerate(card.aliases):
        if named.get((alias.provider, alias.name)) is Rule.LITERAL:
            yield f"aliases[{number}]: an entry has this name itself"
        if (alias.to_provider, alias.to_model) not in named:
            yield f"aliases[{number}]: no entry is {alias.to_provider!r} {alias.to_model!r}"


def entry_problems(entry: Entry) -> Iterator[str]:
    """Whatever is wrong between the parts of an entry, each with its path inside the entry."""
    if not entry.prefix:
        yield ".model: needs a name before its star"
    if entry.provider_cost:
        if entry.rule is not Rule.LITERAL:
            yield ".provider_cost: only where the model is literal"
        if entry.columns:
            yield ".provider_cost: leaves no place for columns; the provider's own cost is the price"
    elif not entry.columns:
        yield ".columns: at least one is needed"
    groups: dict[object, list[tuple[int, Column]]] = {}
    for number, column in enumerate(entry.columns):
        yield from (f".columns[{number}]{problem}" for problem in _column_problems(column, entry))
        groups.setdefault((column.service_tier, column.attributes), []).append((number, column))
    for columns in groups.values():
        yield from _hours_problems(columns)


def _column_problems(column: Column, entry: Entry) -> Iterator[str]:
    if not column.prices:
        yield ".prices: at least one is needed"
    if column.service_tier and column.service_tier in STANDARD_TIER_NAMES:
        yield f".service_tier: the standard tier is written by leaving it out, not as {column.service_tier!r}"
    for attribute in column.attributes:
        if attribute in entry.neutral_attributes:
            yield f".attributes.{attribute[0]}: {attribute[1]!r} is neutral in this entry, and has no column"
    before = 0
    for number, tier in enumerate(column.prompt_tiers):
        if tier.above_tokens <= before:
            yield f".prompt_tiers[{number}].above_tokens: must be above {before}"
        before = tier.above_tokens
    if column.prompt_tiers and column.prices and not any(measure.kind in PROMPT_KINDS for measure in column.prices):
        yield ".prompt_tiers: no price here is for tokens of a prompt"


def _hours_problems(columns: Sequence[tuple[int, Column]]) -> Iterator[str]:
    """Of columns with the same tier and attributes, whose hours must not meet and must leave the rest of the week to
    one."""
    always = [number for number, column in columns if not column.hours]
    if not always:
        rest = "no column with the same tier and attributes holds for the rest of the week"
        yield f".columns[{columns[0][0]}].hours: {rest}"
    for number in always[1:]:
        yield f".columns[{number}]: the same tier, attributes and hours as columns[{always[0]}]"
    windows = [(number, place, hours) for number, column in columns for place, hours in enumerate(column.hours)]
    for (first, at, window), (second, place, other) in combinations(windows, 2):
        if window.overlap(other):
            yield f".columns[{second}].hours[{place}]: meets columns[{first}].hours[{at}]"
