"""Gives events their positions in the feed, soon after they are committed. It does no harm in several processes at
once: they take turns at the one row of the feed."""

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

from billing_service.domain.refusals import Failure
from billing_service.feed.head import FeedHead
from billing_service.storage.rows.feed import look, place
from billing_service.storage.store import Store

PLACE_EVERY_S: Final = 0.2
"""An event is in the feed a quarter of a second after its commit."""
EVENTS_A_TRANSACTION: Final = 500
"""Few enough that deductions wait a few milliseconds at most."""
AFTER_FAILURE_S: Final = 5.0
"""A database that is away is not asked five times a second."""


class Placing:
    """What a loop of each process does."""

    def __init__(self, store: Store, head: FeedHead, *, now_s: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._head = head
        self._now_s = now_s
        self._not_before_s = float("-inf")

    async def run(self) -> None:
        """Places what waits, and moves the head. Raises Failure, and then rests for AFTER_FAILURE_S."""
        if self._now_s() < self._not_before_s:
            return
        try:
            found = await self._store.read(look)
            if found.has_unplaced:
                while await self._store.write(partial(place, EVENTS_A_TRANSACTION)) == EVENTS_A_TRANSACTION:
                    pass
                found = await self._store.read(look)
        except Failure:
            self._not_before_s = self._now_s() + AFTER_FAILURE_S
            raise
        self._head.move_to(found.marks.last_position)
