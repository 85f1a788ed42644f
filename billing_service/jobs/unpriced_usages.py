"""Counts usages that were charged though the card had no price for them. Each was charged an estimate: operators add
the price, and correct what was charged."""

from functools import partial

import structlog

from billing_service.clock import ClockUs
from billing_service.domain.ledger.events import EventKind
from billing_service.storage.rows.outbox import details_since
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)

COUNTED_US = 24 * 3_600 * 1_000_000
"""How long a usage is counted: an alert outlasts the night."""
COUNTED_MAX = 1_000
LOGGED_MAX = 5


class UnpricedUsages:
    """Those of the last 24 hours, as of the last look. Harmless in several processes at once."""

    def __init__(self, store: Store, clock_us: ClockUs) -> None:
        self._store = store
        self._clock_us = clock_us
        self.count = 0
        """At most COUNTED_MAX."""
        self._logged: frozenset[str] = frozenset()

    async def run(self) -> None:
        since_us = self._clock_us() - COUNTED_US
        found = await self._store.read(partial(details_since, EventKind.UNPRICED_USAGE, since_us, COUNTED_MAX))
        self.count = len(found)
        fresh = [detail for event_id, detail in found.items() if event_id not in self._logged]
        if fresh:
            models = sorted({f"{each['provider']} {each['model']}: {each['missing']}" for each in fresh})
            log.error("usages_without_a_price", count=len(found), models=models[:LOGGED_MAX])
        self._logged = frozenset(found)
