"""Small loops that call a piece of work again and again until the service ends. One that fails is logged and goes
on."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from billing_service.domain.refusals import Failure

log = structlog.get_logger(__name__)

FIRST_S = 60.0
"""From the start to the first run of a job at the latest: in a service that is deployed often, what runs hourly would
never run."""


class Loop:
    """Calls `work` every `interval_s` seconds, the first time after `first_s` where that is less."""

    def __init__(
        self, name: str, work: Callable[[], Awaitable[None]], interval_s: float, *, first_s: float = FIRST_S
    ) -> None:
        self.name = name
        self.runs = 0
        """Runs that ended well."""
        self.failures = 0
        self._work = work
        self._interval_s = interval_s
        self._first_s = min(first_s, interval_s)
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Lets a run that has begun finish."""
        self._stopping.set()
        await self._task

    async def _run(self) -> None:
        wait_s = self._first_s
        while not await self._stopped_within(wait_s):
            wait_s = self._interval_s
            try:
                await self._work()
                self.runs += 1
            except Failure as failure:
                self.failures += 1
                log.warning("job_failed", job=self.name, reason=failure.reason.value)
            except Exception:  # a job that fails must not end the others: it is logged and tried again
                self.failures += 1
                log.exception("job_failed", job=self.name)

    async def _stopped_within(self, wait_s: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), wait_s)
        except TimeoutError:
            return False
        return True
