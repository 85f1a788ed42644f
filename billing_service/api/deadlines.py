"""When a call must have ended: the caller's deadline, or the service's own.

gRPC itself cancels a handler at the caller's deadline. Two things are left to do here. A call that could not be
finished in time is refused. A call without a deadline, or with one far away, is ended, so that nothing waits for ever
on a database that does not answer.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

REMAINING_MIN_S = 0.02
"""Below this a durable write and its way back do not fit, and the caller would be left with an unknown outcome."""
REMAINING_MIN_MS = round(REMAINING_MIN_S * 1000)


@dataclass(slots=True)
class OverdueCalls:
    """Cancels calls that outlive `limit_s`.

    All calls get the same time, so they fall due in the order in which they came. One timer for the oldest serves them
    all. A call costs two dictionary operations.
    """

    limit_s: float
    started: dict[asyncio.Task[Any], float] = field(default_factory=dict)
    """When each watched call began (event loop time), oldest first."""
    canceled: set[asyncio.Task[Any]] = field(default_factory=set)
    """Calls that were cancelled here and have not answered yet."""
    _timer: asyncio.TimerHandle | None = None

    def watch(self, task: asyncio.Task[Any] | None, now: float) -> None:
        assert task is not None, "a coroutine that runs has a task"
        self.started[task] = now
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(now + self.limit_s, self._cancel_due)

    def forget(self, task: asyncio.Task[Any]) -> bool:
        """Ends the watch; True when the call had been cancelled here."""
        self.started.pop(task, None)
        if task in self.canceled:
            self.canceled.discard(task)
            return True
        return False

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cancel_due(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() - self.limit_s + 0.001  # asyncio's clock steps by about a millisecond
        self._timer = None
        while self.started:
            task, started = next(iter(self.started.items()))
            if started > due:
                self._timer = loop.call_at(started + self.limit_s, self._cancel_due)
                return
            del self.started[task]
            self.canceled.add(task)
            task.cancel("the call took longer than the service allows")
