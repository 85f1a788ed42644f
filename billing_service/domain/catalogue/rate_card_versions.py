"""Which of the stored rate cards prices usage at a moment. A card never changes; a later one takes its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NOTICE_US: Final = 10_000_000
"""From the creation of a card to its first price, at least: twice the time after which every process has read the list
of cards again. So all processes change to a new card at the same moment."""


@dataclass(frozen=True, slots=True)
class CardVersion:
    """What orders the stored cards."""

    version: str
    position: int
    """1 for the first that was created, and so on."""
    in_force_time_us: int


@dataclass(slots=True)
class StoredCard:
    """A rate card as it is kept. Times in microseconds since 1970."""

    version: str
    position: int
    """As in CardVersion."""
    effective_time_us: int
    in_force_time_us: int
    create_time_us: int
    source: str
    markup_ppm: int
    entry_count: int
    card_file: bytes
    """Compressed by gzip; empty where a list was asked for."""


def in_force_time_us(effective_time_us: int, now_us: int) -> int:
    """From when a card prices usage that is created now: never in the past, where usage was priced by another card
    already."""
    return max(effective_time_us, now_us + NOTICE_US)


def version_in_force(cards: Sequence[CardVersion], time_us: int) -> CardVersion | None:
    """The card that holds at a moment: of those that began, the one that began last; of two that began at once, the one
    created later. Before the first card began, the first. None where there is no card."""
    begun = [card for card in cards if card.in_force_time_us <= time_us]
    if not begun:
        return min(cards, key=_order, default=None)
    return max(begun, key=_order)


def _order(card: CardVersion) -> tuple[int, int]:
    return card.in_force_time_us, card.position
