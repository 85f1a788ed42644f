"""Small loops that call a piece of work again and again until the service ends. One that fails is logged and goes on."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from billing_service.domain.refusals import Failure

log = structlog.get_logger(__name__)


class Loop:
    """Calls `work` every `interval_s` seconds, the first time after one interval."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]], interval_s: float) -> None:
        self._name = name
        self._work = work
        self._interval_s = interval_s
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Lets a run that has begun finish."""
        self._stopping.set()
        await self._task

    async def _run(self) -> None:
        while not await self._stopped_within_interval():
            try:
                await self._work()
            except Failure as failure:
                log.warning("job_failed", job=self._name, reason=failure.reason.value)
            except Exception:  # a job that fails must not end the others: it is logged and tried again
                log.exception("job_failed", job=self._name)

    async def _stopped_within_interval(self) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), self._interval_s)
        except TimeoutError:
            return False
        return True
