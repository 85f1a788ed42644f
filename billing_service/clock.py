"""Time and ids: the two things that the rules of money are given, so that a test can give others."""

import os
import threading
import time
from collections.abc import Callable

from billing_service.domain.account import Ids

ClockUs = Callable[[], int]
"""Microseconds since 1970 UTC."""


def system_clock_us() -> int:
    return time.time_ns() // 1_000


CHANCE_BYTES = 8
DRAWN_AT_ONCE = 128


class TimeOrderedIds:
    """Ids such as `txn_` and 32 hexadecimal digits: 12 of milliseconds, so that they sort by time, 4 that count within one
    millisecond, 16 of chance, so that they can't be guessed and never meet those of another process."""

    def __init__(self, clock_us: ClockUs = system_clock_us, chance: Callable[[int], bytes] = os.urandom) -> None:
        self._clock_us = clock_us
        self._chance = chance
        self._drawn: list[str] = []
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self, prefix: str) -> str:
        with self._lock:
            moment = (self._clock_us() // 1_000) << 16
            self._last = ordered = moment if moment > self._last else self._last + 1
            if not self._drawn:
                self._draw()
            chance = self._drawn.pop()
        return f"{prefix}_{ordered:016x}{chance}"

    def _draw(self) -> None:
        """Draws chance for many ids: asking the system for each costs more than all the rest of an id."""
        text = self._chance(CHANCE_BYTES * DRAWN_AT_ONCE).hex()
        digits = CHANCE_BYTES * 2
        self._drawn = [text[start : start + digits] for start in range(0, len(text), digits)]


__all__ = ["ClockUs", "Ids", "TimeOrderedIds", "system_clock_us"]
