"""Time that leaps: what can't be taken back does not follow it, and ids stay unique and in order."""

import itertools

from billing_service.clock import TimeOrderedIds, UnhurriedClock

DAY_US = 86_400_000_000
NOW_US = 1_800_000_000_000_000


class Time:
    """A clock that can be set, and the time that really passes."""

    def __init__(self):
        self.passed_us = 0
        self.off_us = 0

    def pass_us(self, microseconds):
        self.passed_us += microseconds

    def clock_us(self):
        return NOW_US + self.passed_us + self.off_us

    def monotonic_ns(self):
        return (7 + self.passed_us) * 1_000


def test_a_clock_that_leaps_ahead_hurries_nothing_and_one_set_back_is_followed():
    time = Time()
    clock = UnhurriedClock(time.clock_us, time.monotonic_ns)
    assert clock() == NOW_US
    time.pass_us(1_000)
    assert clock() == NOW_US + 1_000
    time.off_us = DAY_US
    assert clock() == NOW_US + 1_000
    time.pass_us(DAY_US)
    assert clock() == NOW_US + 1_000 + DAY_US
    time.off_us = -DAY_US
    assert clock() == NOW_US + 1_000


def test_ids_stay_in_order_and_unique_whatever_the_clock_does():
    moments = itertools.chain(
        [NOW_US] * 70_000, [NOW_US + DAY_US] * 10, [NOW_US - DAY_US] * 70_000, [NOW_US + 2 * DAY_US] * 10
    )
    ids = TimeOrderedIds(lambda: next(moments), bytes)
    made = [ids("txn") for _ in range(140_020)]
    assert made == sorted(set(made))
