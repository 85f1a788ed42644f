"""Time and ids: the two things that the rules of money are given, so that a test can give others."""

import os
import threading
import time
from collections.abc import Callable

from billing_service.domain.ledger.account import Ids
from billing_service.domain.ledger.chain import SALT_BYTES

ClockUs = Callable[[], int]
"""Microseconds since 1970 UTC."""


def system_clock_us() -> int:
    return time.time_ns() // 1_000


class UnhurriedClock:
    """The clock, but never further on than the time that has passed since it was made: for what can't be taken back
    once done in error. A clock that leaps ahead does not hurry it; one that was set back, or a machine that slept,
    makes it late."""

    def __init__(
        self, clock_us: ClockUs = system_clock_us, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._clock_us = clock_us
        self._monotonic_ns = monotonic_ns
        self._began_us = clock_us() - monotonic_ns() // 1_000

    def __call__(self) -> int:
        return min(self._clock_us(), self._began_us + self._monotonic_ns() // 1_000)


RANDOM_BYTES = 8
_MOMENT_DIGITS = 16
"""Of an id, before its random ones."""
IDS_DRAWN_TOGETHER = 128


class TimeOrderedIds:
    """Ids such as `txn_` and 32 hexadecimal digits. 12 digits are milliseconds, so that ids sort by time. 4 count
    within one millisecond. 16 are random, so that ids can't be guessed and never collide with another process's."""

    def __init__(self, clock_us: ClockUs = system_clock_us, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._clock_us = clock_us
        self._random_bytes = random_bytes
        self._drawn: list[str] = []
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self, prefix: str) -> str:
        with self._lock:
            moment = (self._clock_us() // 1_000) << 16
            self._last = ordered = moment if moment > self._last else self._last + 1
            if not self._drawn:
                self._draw()
            random_bytes = self._drawn.pop()
        return f"{prefix}_{ordered:0{_MOMENT_DIGITS}x}{random_bytes}"

    def salt(self) -> bytes:
        """Random bytes that are hashed with a transaction's texts."""
        return self._random_bytes(SALT_BYTES)

    def _draw(self) -> None:
        """Draws random bytes for many ids: asking the system for each costs more than all the rest of an id."""
        text = self._random_bytes(RANDOM_BYTES * IDS_DRAWN_TOGETHER).hex()
        digits = RANDOM_BYTES * 2
        self._drawn = [text[start : start + digits] for start in range(0, len(text), digits)]


def first_id(prefix: str, moment_us: int) -> str:
    """Sorts before every id that is made at `moment_us` or later."""
    return f"{prefix}_{max(moment_us, 0) // 1_000 << 16:0{_MOMENT_DIGITS}x}"


def moment_of_id(made: str) -> int | None:
    """When an id was made, in microseconds, to the millisecond; None for one that was made otherwise."""
    digits = made.partition("_")[2][:_MOMENT_DIGITS]
    try:
        return (int(digits, 16) >> 16) * 1_000
    except ValueError:
        return None


__all__ = ["ClockUs", "Ids", "TimeOrderedIds", "UnhurriedClock", "first_id", "moment_of_id", "system_clock_us"]
