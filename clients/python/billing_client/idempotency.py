"""Idempotency keys: made once per logical call, before its first attempt."""

import secrets
import threading
import time
import uuid
from collections.abc import Callable

_TICK_BITS = 12


class KeyGenerator:
    """Time-ordered UUIDs (version 7, RFC 9562): each key sorts after the one before it, and index pages fill in order.

    The 12 bits after the milliseconds count the keys of one millisecond. When they run out, or the clock steps back,
    the generator runs ahead of the clock, so the order is kept. Threads may share one.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._last_tick = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """The next key: 36 characters, lower case."""
        now_ms = self._now_ns() // 1_000_000
        with self._lock:
            self._last_tick = max(self._last_tick + 1, now_ms << _TICK_BITS)
            tick = self._last_tick
        milliseconds, count = tick >> _TICK_BITS, tick & ((1 << _TICK_BITS) - 1)
        return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | count << 64 | 0b10 << 62 | secrets.randbits(62)))


new_idempotency_key: Callable[[], str] = KeyGenerator()
"""Makes a key. Keep it with your own record of the call, and repeat the call with it until the outcome is known."""


def key_or_new(idempotency_key: str | None) -> str:
    """The caller's key as it is, or a new one for None.

    An empty key is passed on for the service to refuse. Replacing it would give a second effect to a caller who repeats
    a call with the same empty key.
    """
    return new_idempotency_key() if idempotency_key is None else idempotency_key
