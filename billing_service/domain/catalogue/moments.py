"""Moments as microseconds since 1970 UTC, their text, and the hours of the week in which a price holds."""

import calendar
import re
from dataclasses import dataclass
from typing import Final

from billing_service.domain.times import US_PER_S

DAY_S: Final = 86_400
WEEK_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_DAY: Final = 3
"""1 January 1970 was a Thursday."""

_MOMENT: Final = re.compile(r"(20[0-9]{2})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z", re.ASCII)
_CLOCK: Final = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?", re.ASCII)
_HOURS, _SIXTY = 24, 60


def moment_us(text: str) -> int:
    """Microseconds of a text such as `2026-11-30T16:00:00Z`: UTC, whole seconds, years 2000 to 2099. Raises ValueError
    for any other."""
    found = _MOMENT.fullmatch(text)
    if found is not None:
        year, month, day, hour, minute, second = map(int, found.groups())
        in_range = 1 <= month <= len(calendar.month_name) - 1 and hour < _HOURS and minute < _SIXTY and second < _SIXTY
        if in_range and 1 <= day <= calendar.monthrange(year, month)[1]:
            return calendar.timegm((year, month, day, hour, minute, second)) * US_PER_S
    raise ValueError(f"must be a time such as '2026-11-30T16:00:00Z', not {text!r}")


def moment_text(time_us: int) -> str:
    """The text that `moment_us` reads; `time_us` must be whole seconds of its years."""
    seconds, rest = divmod(time_us, US_PER_S)
    days, second = divmod(seconds, DAY_S)
    year, month, day = _date(days)
    assert rest == 0, "a card begins at a whole second"
    return f"{year:04}-{month:02}-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def _date(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day counted from 1970, by the Gregorian rule alone."""
    year = 1970 + days // 366
    while calendar.timegm((year + 1, 1, 1, 0, 0, 0)) // DAY_S <= days:
        year += 1
    left = days - calendar.timegm((year, 1, 1, 0, 0, 0)) // DAY_S
    month = 1
    while left >= (length := calendar.monthrange(year, month)[1]):
        left -= length
        month += 1
    return year, month, left + 1


def clock_s(text: str) -> int:
    """Seconds since midnight of `16:30` or `16:30:05`; `24:00` is the end of the day. Raises ValueError for any other
    text."""
    found = _CLOCK.fullmatch(text)
    if found is not None:
        hour, minute, second = (int(part or 0) for part in found.groups())
        if (hour < _HOURS and minute < _SIXTY and second < _SIXTY) or (hour, minute, second) == (_HOURS, 0, 0):
            return (hour * _SIXTY + minute) * _SIXTY + second
    raise ValueError(f"must be a time of day such as '16:30', not {text!r}")


def clock_text(second: int) -> str:
    """`16:30`, or `16:30:05` where there are seconds."""
    text = f"{second // 3600:02}:{second // 60 % 60:02}"
    return f"{text}:{second % 60:02}" if second % 60 else text


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """A window of each of some days of the week, in UTC."""

    from_s: int
    """Seconds since midnight; included."""
    until_s: int
    """Seconds since midnight, above `from_s`, at most a whole day; excluded."""
    days: tuple[int, ...] = tuple(range(len(WEEK_DAYS)))
    """0 is Monday; ascending, at least one."""

    def hold(self, time_us: int) -> bool:
        """Whether the moment is inside."""
        day, second = divmod(time_us // US_PER_S, DAY_S)
        return self.from_s <= second < self.until_s and (day + _FIRST_DAY) % len(WEEK_DAYS) in self.days

    def overlap(self, other: "Hours") -> bool:
        """Whether some moment is inside both."""
        return self.from_s < other.until_s and other.from_s < self.until_s and not set(self.days).isdisjoint(other.days)
