"""TailEvents: pages of the feed for one consumer, and the positions that it goes on from."""

import base64
import binascii
from dataclasses import dataclass
from functools import partial
from typing import Final

from billing_service.domain.ledger.events import PlacedEvent
from billing_service.domain.refusals import Refusal, invalid_field
from billing_service.domain.refusals.feed import position_expired
from billing_service.feed.head import FeedHead
from billing_service.storage.rows.feed import FeedPage, read_marks, read_page
from billing_service.storage.store import Store

EVENTS_A_PAGE: Final = 200
"""What a consumer that reads slowly costs: a page, some 100 KB."""
_FORM: Final = b"1:"
"""Of a position's text. A later program may know others."""
_DIGITS_MAX: Final = 18
"""Fewer than 64 bits hold."""


def position_text(position: int) -> str:
    """A position as consumers keep it."""
    return base64.urlsafe_b64encode(_FORM + b"%d" % position).rstrip(b"=").decode()


def parse_position(text: str) -> int:
    """INVALID_FIELD for what no feed gave."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _unknown() from None
    digits = plain.removeprefix(_FORM)
    if not digits.isdigit() or len(digits) > _DIGITS_MAX or position_text(int(digits)) != text:
        raise _unknown()
    return int(digits)


def _unknown() -> Refusal:
    return invalid_field("after", "is no position that this feed gave")


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed of one process, for any number of consumers."""

    store: Store
    head: FeedHead

    async def begin(self, after: int | None, *, from_now: bool) -> int:
        """Where a consumer begins: after its position, after the newest event, or before the oldest that is kept.
        Raises INVALID_FIELD for a position that the feed has not reached, POSITION_EXPIRED, Failure."""
        marks = await self.store.read(read_marks)
        if from_now:
            return marks.last_position
        if after is None:
            return marks.forgotten_position
        if after > marks.last_position:
            raise _unknown()
        if after < marks.forgotten_position:
            raise position_expired()
        return after

    async def read(self, after: int) -> list[PlacedEvent]:
        """The next events after a position, at most EVENTS_A_PAGE. Raises POSITION_EXPIRED where some after it are
        gone, and Failure."""
        found: FeedPage = await self.store.read(partial(read_page, after, EVENTS_A_PAGE))
        if found.marks.forgotten_position > after:
            raise position_expired()
        self.head.move_to(found.marks.last_position)
        return found.events
