"""What became of each model of a price list. Nothing is left out without a word."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing_service.domain.catalogue.rate_cards import RateCard


class Fate(StrEnum):
    """What an importer did with one model of the library's list."""

    IMPORTED = "imported"
    ALIAS = "alias"
    """Another name of a model."""
    DUPLICATE = "duplicate"
    """A second key for the same name of the same provider; the library itself reads another key first."""
    REFUSED = "refused"
    UNPRICED = "unpriced"
    """The list has the model and no price of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One model of the list."""

    fate: Fate
    why: str = ""
    """Of all but the imported."""
    omitted: tuple[str, ...] = ()
    """Of the imported: prices that the card lacks, each with the reason. A call that needs one is refused, never billed
    otherwise."""
    notes: tuple[str, ...] = ()
    """Of the imported: what the list says and the card does not need."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """A card and what became of each model, by the library's own name for it."""

    card: RateCard
    outcomes: Mapping[str, Outcome]

    def count(self, fate: Fate) -> int:
        return sum(outcome.fate is fate for outcome in self.outcomes.values())

    def reasons(self, fate: Fate) -> list[tuple[str, int, str]]:
        """Each reason for that fate with how many models it met and the first of them, the most frequent first."""
        counts: Counter[str] = Counter()
        first: dict[str, str] = {}
        for name, outcome in self.outcomes.items():
            if outcome.fate is fate:
                counts[outcome.why] += 1
                first.setdefault(outcome.why, name)
        return [(why, count, first[why]) for why, count in counts.most_common()]


ODD_SHAPE: Final = "its data have a shape that this importer does not know"
ODD_SHAPES: Final = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, IndexError)
"""What reading such data raises. One model is refused then, and the others are imported."""


class NotImportableError(Exception):
    """One model can't be imported. The message says why, in the words of the report."""
