"""What a run goes through, one after the other, and where it is."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from billing_service.payments.objects import checkout_session, dispute, refund
from billing_service.reconcile.told import KINDS
from billing_service.stripe_events.registry import FAMILIES

TYPES_A_LIST: Final = 20
"""Stripe's limit."""
OPEN_PURCHASES: Final = "open purchases"
PENDING_REFUNDS: Final = "pending refunds"
OPEN_DISPUTES: Final = "open disputes"
"""What is still open here and older than the window, asked for one by one."""
EVENTS: Final = "events"

_TYPES: Final[Sequence[str]] = sorted({each for family in FAMILIES for each in family.types})
_LISTS: Final = -(-len(_TYPES) // TYPES_A_LIST)
EVENT_TYPES: Final[Mapping[str, Sequence[str]]] = {
    f"{EVENTS} {place + 1}": _TYPES[place::_LISTS] for place in range(_LISTS)
}
"""By stage: more types than one list may name."""
_OPEN: Final[Mapping[str, str]] = {
    OPEN_PURCHASES: checkout_session.KIND,
    PENDING_REFUNDS: refund.KIND,
    OPEN_DISPUTES: dispute.KIND,
}
STAGES: Final[Sequence[str]] = (*KINDS, *_OPEN, *EVENT_TYPES)
"""Objects first: an event adds what no object shows, such as when something happened."""


class Cursor(NamedTuple):
    """Where the next step of a run begins."""

    stage: int = 0
    after: str = ""

    @property
    def is_end(self) -> bool:
        return self.stage >= len(STAGES)

    @property
    def text(self) -> str:
        return f"{self.stage}:{self.after}"


def read_cursor(text: str) -> Cursor:
    """Of `Cursor.text`. Raises ValueError."""
    stage, colon, after = text.partition(":")
    if not colon or not stage.isdecimal() or int(stage) > len(STAGES):
        raise ValueError("is no cursor")
    return Cursor(int(stage), after)
