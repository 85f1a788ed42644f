"""How fast Stripe is asked: so many requests a second at most, and slower when Stripe says that it is too much."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, TypeVar

from billing_service.payments.ports.outcomes import ProviderBusy

Answer = TypeVar("Answer")

REQUESTS_PER_S: Final = 10.0
"""Unless told otherwise. Stripe answers 25 a second in test mode and 100 of a live account, from all its programs."""
FIRST_WAIT_S: Final = 1.0
WAIT_MAX_S: Final = 32.0
TRIES_MAX: Final = 8
"""Two minutes in all. What Stripe refuses for longer ends the run, which resumes later."""


class Pace:
    """Of one process: all its runs share it. Each request waits for its turn."""

    def __init__(
        self,
        requests_per_s: float,
        *,
        now_s: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._interval_s = 1 / requests_per_s
        self._now_s = now_s
        self._sleep = sleep
        self._next_s = 0.0
        self.requests = 0
        self.refused = 0
        """How often Stripe said that it is too much."""

    async def ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Makes a call in its turn, and again after a while where it was too much. Raises what the call raises."""
        wait_s = FIRST_WAIT_S
        for attempt in range(1, TRIES_MAX + 1):
            await self._turn()
            self.requests += 1
            try:
                return await call()
            except ProviderBusy:
                self.refused += 1
                if attempt == TRIES_MAX:
                    raise
            self._next_s = max(self._next_s, self._now_s() + wait_s)
            wait_s = min(wait_s * 2, WAIT_MAX_S)
        raise AssertionError("the last try returns or raises")

    async def _turn(self) -> None:
        now_s = self._now_s()
        begins_s = max(self._next_s, now_s)
        self._next_s = begins_s + self._interval_s
        if begins_s > now_s:
            await self._sleep(begins_s - now_s)
