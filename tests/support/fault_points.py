"""Where a fault strikes: every statement and every call to the payment provider is a numbered point."""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import NamedTuple

DATABASE, PROVIDER = "database", "provider"
BEFORE, AFTER = "before", "after"
SETTLED_S = 30
"""Longest wait for something that must happen at once; only a hang comes near it."""


class Mode(NamedTuple):
    """One way to fail, and the classes of answer that a caller may be given for it."""

    name: str
    domain: str
    when: str
    kind: str
    code: str
    answers: frozenset
    for_good: bool = False
    """Whether every point from the first on fails, until the fault is taken away."""
    restart: bool = False
    """Whether only opening the database again helps."""


class Strike(NamedTuple):
    """A fault that a point has to carry out."""

    mode: Mode
    when: str


@dataclass
class FaultPoints:
    """Counts points while a call is watched, and strikes at the one that was chosen."""

    mode: Mode | None = None
    number: int = 0
    passed: list = field(default_factory=list)
    """Names of the points of the armed mode's domain, in order."""
    fired: bool = False
    rollback_fails: bool = False
    caller: asyncio.Task | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _caller_gone: threading.Event = field(default_factory=threading.Event)

    def arm(self, mode, number):
        self.mode, self.number = mode, number
        self.passed, self.fired, self.rollback_fails = [], False, False

    def disarm(self):
        self.mode, self.rollback_fails = None, False

    def watch(self, caller):
        """Names the task that a cancellation hits."""
        self.caller, self._loop, self._thread = caller, asyncio.get_running_loop(), threading.current_thread()
        self._caller_gone = gone = threading.Event()
        caller.add_done_callback(lambda _: gone.set())

    def reach(self, domain, name):
        """Says what has to go wrong here; None for nothing."""
        mode = self.mode
        if mode is None or mode.domain != domain or (mode.for_good and name == "ROLLBACK"):
            return None  # whatever else goes on failing, giving up a transaction needs nobody else
        self.passed.append(name)
        due = len(self.passed) >= self.number if mode.for_good else len(self.passed) == self.number
        if not due:
            return None
        self.fired = True
        return Strike(mode, mode.when)

    def cancel_from_thread(self):
        """Cancels the caller from another thread, and returns once the caller is gone."""
        if threading.current_thread() is self._thread:
            self.caller.cancel()  # what runs on the event loop goes on to its next await before anybody can be gone
            return
        gone = self._caller_gone  # once it is gone, the next caller is watched
        self._loop.call_soon_threadsafe(self.caller.cancel)
        assert gone.wait(SETTLED_S), "a cancelled caller was not let go"

    async def cancel_from_loop(self):
        """Cancels the caller from another task, and returns once the caller is gone."""
        self.caller.cancel()
        await asyncio.wait([self.caller], timeout=SETTLED_S)
        assert self.caller.done(), "a cancelled caller was not let go"
