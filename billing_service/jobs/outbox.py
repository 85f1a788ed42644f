"""Forgets business events that are older than their retention."""

from functools import partial

from billing_service.clock import ClockUs
from billing_service.domain.times import US_PER_S
from billing_service.storage.rows.feed import forget_before
from billing_service.storage.store import Store

RETENTION_US = 90 * 86_400 * US_PER_S
"""How long a consumer of events may be away."""
EVENTS_A_TRANSACTION = 500
"""Few enough that deductions wait a few milliseconds at most."""


async def forget_old_events(store: Store, clock_us: ClockUs) -> None:
    """Harmless in several processes at once."""
    before_us = clock_us() - RETENTION_US
    while await store.write(partial(forget_before, before_us, EVENTS_A_TRANSACTION)):
        pass
