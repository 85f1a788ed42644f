"""Edges of days and months, where clocks change too."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.spending.windows import SpendWindow, Windows

DAY, MONTH = SpendWindow.DAY, SpendWindow.MONTH
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "America/Havana", "Pacific/Apia", "Asia/Beirut"]
HOUR_US = 3_600_000_000


def us(text):
    return round((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("zone", "window", "now", "start", "end"),
    [
        ("UTC", DAY, "2026-12-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00", "2026-12-02T00:00:00+00:00"),
        ("UTC", MONTH, "2026-12-31T23:59:59+00:00", "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("Europe/Berlin", DAY, "2026-12-01T23:30:00+00:00", "2026-12-01T23:00:00+00:00", "2026-12-02T23:00:00+00:00"),
        # 25 hours, and 23
        ("Europe/Berlin", DAY, "2026-10-25T12:00:00+00:00", "2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"),
        ("Europe/Berlin", DAY, "2026-03-29T12:00:00+00:00", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        # midnight is skipped: the day begins with the change
        ("Africa/Cairo", DAY, "2025-04-25T12:00:00+00:00", "2025-04-24T22:00:00+00:00", "2025-04-25T21:00:00+00:00"),
        # midnight comes twice: the day begins with the first
        ("America/Havana", DAY, "2025-11-02T12:00:00+00:00", "2025-11-02T04:00:00+00:00", "2025-11-03T05:00:00+00:00"),
        # 30 December 2011 never was
        ("Pacific/Apia", DAY, "2011-12-30T09:59:59+00:00", "2011-12-29T10:00:00+00:00", "2011-12-30T10:00:00+00:00"),
        ("Pacific/Apia", DAY, "2011-12-30T10:00:00+00:00", "2011-12-30T10:00:00+00:00", "2011-12-31T10:00:00+00:00"),
    ],
)
def test_edges(zone, window, now, start, end):
    assert Windows(ZoneInfo(zone)).edges(window, us(now)) == (us(start), us(end))


def test_one_window_never_ends():
    assert Windows().edges(SpendWindow.NONE, us("2026-12-01T00:00:00+00:00")) == (0, None)


@given(st.sampled_from(ZONES), st.sampled_from([DAY, MONTH]), st.integers(us("2000-01-01T00:00:00+00:00"), 4 * 10**15))
def test_windows_follow_each_other_without_a_gap(zone, window, now_us):
    windows = Windows(ZoneInfo(zone))
    start_us, end_us = windows.edges(window, now_us)
    assert start_us <= now_us < end_us
    assert windows.edges(window, end_us).start_us == end_us
    assert windows.edges(window, start_us) == (start_us, end_us)
    assert windows.edges(window, start_us - 1).end_us == start_us
    local = datetime.fromtimestamp(now_us // 1_000_000, ZoneInfo(zone)).date()
    assert date(local.year, local.month, local.day if window is DAY else 1) <= local
    assert end_us - start_us <= 32 * 24 * HOUR_US
