"""Looks for what waits too long for something that may never come: credits of a purchase that was paid, and Stripe's
word on a refund, and the booking of holds that have ended."""

from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from billing_service.clock import ClockUs
from billing_service.domain.times import US_PER_S
from billing_service.storage.rows.expiry import accounts_with_ended_holds
from billing_service.storage.rows.purchases import paid_uncompleted
from billing_service.storage.rows.refunds import unsent_refunds
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

log = structlog.get_logger(__name__)

WAIT_US = 10 * 60 * US_PER_S
"""What is waited for comes within seconds as a rule, and within minutes when Stripe or a caller tries again."""
COUNTED_MAX = 1_000
LOGGED_MAX = 5


class Kind(NamedTuple):
    """What waits, and how it is counted and logged."""

    loop: str
    read: Callable[[int, int], Work[list[str]]]
    """Ids of those that began to wait before a time, the oldest first, at most so many."""
    metric: str
    description: str
    event: str
    ids_field: str


KINDS: Final = (
    Kind(
        "paid purchases",
        # An endpoint that lacks checkout.session.* brings no credits.
        paid_uncompleted,
        "billing_purchases_paid_uncompleted",
        "Purchases paid over ten minutes ago whose credits never came; 1000 means 1000 or more.",
        "purchases_paid_and_not_completed",
        "purchases",
    ),
    Kind(
        "unsent refunds",
        # Only the caller's repeat asks Stripe again.
        unsent_refunds,
        "billing_refunds_unsent",
        "Refunds begun over ten minutes ago of which Stripe has said nothing; 1000 means 1000 or more.",
        "refunds_not_confirmed_by_stripe",
        "refunds",
    ),
    Kind(
        "ended holds",
        # The sweep of expired credits books them, where no caller touches the account.
        accounts_with_ended_holds,
        "billing_holds_unbooked_accounts",
        "Accounts with holds that ended over ten minutes ago and are not booked; 1000 means 1000 or more.",
        "ended_holds_not_booked",
        "accounts",
    ),
)


class Overdue:
    """How many of a kind have waited too long. Harmless in several processes at once."""

    def __init__(self, store: Store, clock_us: ClockUs, kind: Kind) -> None:
        self.kind = kind
        self._store = store
        self._clock_us = clock_us
        self.waiting = 0
        """At the last look; at most COUNTED_MAX."""
        self._logged: frozenset[str] = frozenset()

    async def run(self) -> None:
        found = await self._store.read(lambda: self.kind.read(self._clock_us() - WAIT_US, COUNTED_MAX))
        self.waiting = len(found)
        fresh = [waiting_id for waiting_id in found if waiting_id not in self._logged]
        if fresh:
            log.error(self.kind.event, count=len(found), **{self.kind.ids_field: fresh[:LOGGED_MAX]})
        self._logged = frozenset(found)
