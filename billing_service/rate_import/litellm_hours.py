"""Hours of off-peak prices in litellm's map as windows of a week in UTC."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing_service.domain.catalogue.moments import DAY_S, WEEK_DAYS, Hours, clock_s
from billing_service.rate_import.reports import NotImportableError

KEYS: Final = frozenset({"hours_utc", "windows", "weekdays", "weekday_timezone"})
_FULL_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def off_peak_hours(block: Mapping[str, Any], year: int) -> tuple[Hours, ...]:
    """When the block's prices hold: its own hours each day, and those of each window on its days. The days are of the
    block's zone, which must keep one offset through `year`. Raises NotImportableError for what can't be read."""
    offset_s = _offset_s(block.get("weekday_timezone"), year)
    pieces = set(_pieces(block.get("hours_utc"), range(7), 0))
    windows = block.get("windows", [])
    if not isinstance(windows, Sequence) or isinstance(windows, str):
        raise NotImportableError("off_peak_pricing has windows that are no list")
    for window in windows:
        if not isinstance(window, Mapping) or not set(window) <= KEYS:
            raise NotImportableError("off_peak_pricing has a window that this importer does not know")
        pieces |= set(_pieces(window.get("hours_utc"), _days(window.get("weekdays")), offset_s))
    if not pieces:
        raise NotImportableError("off_peak_pricing has no hours")
    return _merged(pieces)


def _pieces(written: object, days: Sequence[int], offset_s: int) -> Iterator[tuple[int, int, int]]:
    """(day, from, until) in UTC. A window that goes on after midnight, or all day, is of the day on which each moment
    is."""
    texts = [written] if isinstance(written, str) else written if isinstance(written, Sequence) else []
    for text in texts:
        for start, end in _clock_windows(text):
            midnight_s = -offset_s % DAY_S  # of the zone, on UTC's clock
            for part_start, part_end in ((start, min(end, midnight_s)), (max(start, midnight_s), end)):
                for day in range(7):
                    if part_start < part_end and (day + (part_start + offset_s) // DAY_S) % 7 in days:
                        yield day, part_start, part_end


def _clock_windows(text: object) -> list[tuple[int, int]]:
    try:
        start, end = (clock_s(part.strip()) for part in str(text).split("-"))
    except ValueError:
        raise NotImportableError(f"off_peak_pricing has the hours {text!r}") from None
    return [(start, end)] if start < end else [(start, DAY_S), (0, end)]


def _days(written: object) -> Sequence[int]:
    if written is None:
        return range(7)
    names = {name: number for number, names in enumerate(zip(WEEK_DAYS, _FULL_NAMES, strict=True)) for name in names}
    days = (
        [names.get(str(day).lower(), day - 1 if isinstance(day, int) else -1) for day in written]
        if isinstance(written, Sequence)
        else [-1]
    )
    if not all(0 <= day < len(WEEK_DAYS) for day in days):
        raise NotImportableError(f"off_peak_pricing has the weekdays {written!r}")
    return days


def _offset_s(zone: object, year: int) -> int:
    if zone is None:
        return 0
    try:
        days = (datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366))
        offsets = {day.astimezone(ZoneInfo(str(zone))).utcoffset() for day in days}
    except (ZoneInfoNotFoundError, ValueError):
        raise NotImportableError(f"off_peak_pricing has days of {zone!r}, which is no time zone here") from None
    if len(offsets) != 1:
        raise NotImportableError(f"off_peak_pricing has days of {zone}, where clocks change")
    return int((offsets.pop() or timedelta()).total_seconds())


def _merged(pieces: set[tuple[int, int, int]]) -> tuple[Hours, ...]:
    """As few windows as say the same: what touches on a day is one, days with the same window share it."""
    by_window: dict[tuple[int, int], list[int]] = {}
    for day in range(7):
        windows: list[tuple[int, int]] = []
        for start, end in sorted((start, end) for of, start, end in pieces if of == day):
            if windows and start <= windows[-1][1]:
                windows[-1] = windows[-1][0], max(end, windows[-1][1])
            else:
                windows.append((start, end))
        for window in windows:
            by_window.setdefault(window, []).append(day)
    return tuple(sorted(Hours(start, end, tuple(days)) for (start, end), days in by_window.items()))
