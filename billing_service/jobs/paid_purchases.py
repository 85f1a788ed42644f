"""Looks for purchases whose money is there while their credits are not: an endpoint that lacks checkout.session.*
brings none."""

import structlog

from billing_service.clock import ClockUs
from billing_service.storage.rows.purchases import paid_uncompleted
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)

WAIT_US = 10 * 60 * 1_000_000
"""From a payment's success to its checkout event: seconds as a rule, minutes when a delivery is repeated."""
COUNTED_MAX = 1_000
LOGGED_MAX = 5


class PaidPurchases:
    """How many have waited too long. Harmless in several processes at once."""

    def __init__(self, store: Store, clock_us: ClockUs) -> None:
        self._store = store
        self._clock_us = clock_us
        self.waiting = 0
        """At the last look; at most COUNTED_MAX."""
        self._logged: frozenset[str] = frozenset()

    async def run(self) -> None:
        found = await self._store.read(lambda: paid_uncompleted(self._clock_us() - WAIT_US, COUNTED_MAX))
        self.waiting = len(found)
        fresh = [purchase_id for purchase_id in found if purchase_id not in self._logged]
        if fresh:
            log.error("purchases_paid_and_not_completed", count=len(found), purchases=fresh[:LOGGED_MAX])
        self._logged = frozenset(found)
