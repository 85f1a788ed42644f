"""Moments and hours agree with the calendar of Python's datetime, which the domain itself does not use."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.moments import Hours, clock_s, clock_text, moment_text, moment_us

MOMENTS = st.integers(946_684_800, 4_102_444_799).map(lambda second: datetime.fromtimestamp(second, UTC))
WRONG_MOMENTS = [
    "",
    "2026-11-30",
    "2026-11-30T16:00:00",
    "2026-11-30T16:00:00+00:00",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-32T00:00:00Z",
    "2026-11-30T24:00:00Z",
    "2026-11-30T16:60:00Z",
    "2026-11-30T16:00:60Z",
    "1999-12-31T00:00:00Z",
    "2026-11-30T16:00:00.5Z",
    "2026-11-30t16:00:00z",
]


@pytest.mark.parametrize("text", WRONG_MOMENTS)
def test_what_is_no_moment(text):
    with pytest.raises(ValueError, match="must be a time such as"):
        moment_us(text)


@given(MOMENTS)
def test_moments_lead_back(moment):
    text = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    time_us = int(moment.timestamp()) * 1_000_000
    assert (moment_us(text), moment_text(time_us)) == (time_us, text)


@pytest.mark.parametrize("text", ["", "24:01", "24:00:01", "7:00", "12:60", "12:00:60", "noon", "12"])
def test_what_is_no_time_of_day(text):
    with pytest.raises(ValueError, match="must be a time of day"):
        clock_s(text)


@given(st.integers(0, 86_400))
def test_times_of_day_lead_back(second):
    assert clock_s(clock_text(second)) == second


@given(
    MOMENTS,
    st.integers(0, 999_999),
    st.integers(0, 86_399),
    st.integers(1, 86_400),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_hours_hold_on_their_days(moment, part_us, start, length, days):
    hours = Hours(start, min(start + length, 86_400), tuple(sorted(days)))
    midnight = moment.replace(hour=0, minute=0, second=0)
    inside = midnight + timedelta(seconds=hours.from_s) <= moment < midnight + timedelta(seconds=hours.until_s)
    assert hours.hold(int(moment.timestamp()) * 1_000_000 + part_us) is (inside and moment.weekday() in days)


@given(
    st.lists(
        st.builds(
            lambda a, b, d: Hours(min(a, b), max(a, b) + 1, tuple(sorted(d))),
            st.integers(0, 9),
            st.integers(0, 9),
            st.sets(st.integers(0, 2), min_size=1),
        ),
        min_size=2,
        max_size=2,
    )
)
def test_windows_overlap_where_a_moment_is_in_both(windows):
    one, other = windows
    shared = any(
        one.hold(second * 1_000_000) and other.hold(second * 1_000_000)
        for day in range(7)
        for second in range(day * 86_400, day * 86_400 + 12)
    )
    assert one.overlap(other) is shared
