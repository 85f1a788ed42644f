"""Which stored card prices usage at a moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.catalogue.rate_card_versions import (
    NOTICE_US,
    CardVersion,
    in_force_time_us,
    version_in_force,
)

NOW = 1_800_000_000_000_000
A, B = CardVersion("a", 1, 10), CardVersion("b", 2, 20)
AGAIN, EARLIER = CardVersion("again", 3, 20), CardVersion("earlier", 4, 15)


@pytest.mark.parametrize(
    ("effective_us", "begins_us"),
    [
        (0, NOW + NOTICE_US),
        (NOW, NOW + NOTICE_US),
        (NOW + NOTICE_US - 1, NOW + NOTICE_US),
        (NOW + NOTICE_US + 1, NOW + NOTICE_US + 1),
        (NOW + 10**15, NOW + 10**15),
    ],
)
def test_a_card_begins_when_it_says_and_never_where_usage_was_priced_already(effective_us, begins_us):
    assert in_force_time_us(effective_us, NOW) == begins_us


def test_the_notice_is_ten_seconds():
    assert NOTICE_US == 10 * 1_000_000


@pytest.mark.parametrize(
    ("cards", "time_us", "version"),
    [
        ([], 5, None),
        ([A, B], 9, "a"),
        ([A, B], 10, "a"),
        ([B, A], 19, "a"),
        ([A, B], 20, "b"),
        ([A, B], 10**18, "b"),
        ([A, B, AGAIN], 20, "again"),
        ([AGAIN, B, A], 20, "again"),
        ([A, B, EARLIER], 19, "earlier"),
        ([A, B, EARLIER], 20, "b"),
        ([B, AGAIN], 3, "b"),
    ],
)
def test_the_card_that_began_last_counts_and_of_two_the_one_created_later(cards, time_us, version):
    found = version_in_force(cards, time_us)
    assert (found and found.version) == version


CARDS = st.lists(st.integers(0, 30), min_size=1, max_size=6).map(
    lambda begins: [CardVersion(str(number), number + 1, begin) for number, begin in enumerate(begins)]
)


@given(CARDS, st.integers(0, 30), st.randoms())
def test_the_order_in_which_they_are_read_is_nothing(cards, time_us, chance):
    found = version_in_force(cards, time_us)
    chance.shuffle(cards)
    assert version_in_force(cards, time_us) == found


@given(CARDS, st.integers(0, 30), st.integers(0, 100))
def test_a_card_created_now_changes_no_price_of_the_past(cards, now_us, ahead_us):
    new = CardVersion("new", len(cards) + 1, in_force_time_us(now_us + ahead_us, now_us))
    for time_us in range(now_us + 1):
        assert version_in_force([*cards, new], time_us) == version_in_force(cards, time_us)
