"""Windows that spend limits count in: days and months of one time zone, and one that never ends."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import IntEnum
from typing import Final, NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SpendWindow(IntEnum):
    """What a limit counts in. The numbers are the wire's, in the order in which limits are checked."""

    DAY = 1
    MONTH = 2
    NONE = 3
    """Never begins anew."""


class Edges(NamedTuple):
    """Times in microseconds since 1970, UTC."""

    start_us: int
    end_us: int | None
    """Not part of the window. None: it never ends."""


class Windows:
    """Edges of windows in one zone. A day begins at its first moment there, however long the day is: where a clock
    change skips midnight, that is the moment of the change; where midnight comes twice, it is the first."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._latest: dict[SpendWindow, Edges] = {SpendWindow.NONE: Edges(0, None)}

    def edges(self, window: SpendWindow, now_us: int) -> Edges:
        """The window that a moment lies in."""
        known = self._latest.get(window)
        if known is not None and known.start_us <= now_us and (known.end_us is None or now_us < known.end_us):
            return known
        today = (_EPOCH + timedelta(microseconds=now_us)).astimezone(self._zone).date()
        first, following = _bounds(window, today)
        found = self._latest[window] = Edges(self._start_us(first), self._start_us(following))
        return found

    def _start_us(self, day: date) -> int:
        midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        return round((midnight - _EPOCH) / timedelta(microseconds=1))


def _bounds(window: SpendWindow, day: date) -> tuple[date, date]:
    """The window's first day, and the first after it."""
    if window is SpendWindow.DAY:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def shown_time(time_us: int | None) -> str:
    """RFC 3339, to the second, at which windows begin; empty for None."""
    return "" if time_us is None else (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%SZ")


UTC_WINDOWS: Final = Windows()
