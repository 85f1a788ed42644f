"""Referral codes that people can type, and the table of first purchases."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing_service.domain.promotions.referrals import (
    CODE_ALPHABET,
    CODE_RANDOM_BYTES,
    ReferralOutcome,
    ReferralPolicy,
    ReferralState,
    code_from_random,
    decide_first_purchase,
    normalise_code,
    standing_refund_minor,
    stands,
)
from tests.support.doubles import DAY_US

BONUS = 1_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ABCDEFG",
        "ABCDEFGHJ",
        "ABCD-EFG",
        "ABCD EFG",
        "ABCDEFG0",
        "ABCDEFG1",
        "ABCDEFGI",
        "ABCDEFGO",
        "ABCDEFGß",
        "ABCDEF٣2",
        "ABCDEFG\x00",
        "ABCDEFG\n",
    ],
)
def test_what_can_not_be_a_code_is_none(text):
    assert normalise_code(text) is None


@pytest.mark.parametrize("size", [0, 4, 6])
def test_a_code_needs_its_bytes(size):
    with pytest.raises(AssertionError):
        code_from_random(bytes(size))


@pytest.mark.parametrize(
    "wrong",
    [{"bonus_microcredits": -1}, {"minimum_purchase_minor": -1}, {"rewarded_max": -1}, {"vesting_delay_us": -1}],
)
def test_negative_terms_are_refused(wrong):
    with pytest.raises(ValueError, match="negative"):
        ReferralPolicy(**wrong)


@given(st.binary(min_size=CODE_RANDOM_BYTES, max_size=CODE_RANDOM_BYTES))
def test_each_value_has_a_code_of_its_own_that_survives_typing(random_bytes):
    code = code_from_random(random_bytes)
    assert re.fullmatch(r"[A-Z2-9]{8}", code)
    assert normalise_code(f"  {code.lower()} ") == code
    number = 0
    for character in code:
        number = number * 32 + CODE_ALPHABET.index(character)
    assert number.to_bytes(CODE_RANDOM_BYTES, "big") == random_bytes


@pytest.mark.parametrize(
    ("policy", "paid_minor", "rewarded_count", "expected"),
    [
        (ReferralPolicy(), 0, 0, ReferralOutcome(ReferralState.CLOSED, 0, 0)),
        (ReferralPolicy(), 999, 0, ReferralOutcome(ReferralState.CLOSED, 0, 0)),
        (ReferralPolicy(rewarded_max=0), 999, 0, ReferralOutcome(ReferralState.CLOSED, 0, 0)),
        (ReferralPolicy(rewarded_max=0), 1_000, 0, ReferralOutcome(ReferralState.QUALIFIED, BONUS, 0)),
        (ReferralPolicy(rewarded_max=5), 1_000, 5, ReferralOutcome(ReferralState.QUALIFIED, BONUS, 0)),
        (ReferralPolicy(rewarded_max=5), 1_000, 6, ReferralOutcome(ReferralState.QUALIFIED, BONUS, 0)),
        (ReferralPolicy(rewarded_max=5), 1_000, 4, ReferralOutcome(ReferralState.REWARDED, BONUS, BONUS)),
        (ReferralPolicy(minimum_purchase_minor=None), 10**9, 0, ReferralOutcome(ReferralState.CLOSED, 0, 0)),
        (ReferralPolicy(), 1_000, 10_000, ReferralOutcome(ReferralState.REWARDED, BONUS, BONUS)),
        (
            ReferralPolicy(bonus_microcredits=7, minimum_purchase_minor=0),
            0,
            0,
            ReferralOutcome(ReferralState.REWARDED, 7, 7),
        ),
    ],
)
def test_the_first_purchase_decides(policy, paid_minor, rewarded_count, expected):
    assert decide_first_purchase(policy, paid_minor, rewarded_count) == expected


def test_bonuses_vest_after_the_delay():
    assert ReferralPolicy().reward_time_us(1_000) == 1_000 + 14 * DAY_US
    assert ReferralPolicy(vesting_delay_us=0).reward_time_us(1_000) == 1_000
    assert ReferralPolicy(vesting_delay_us=500).reward_time_us(1_000) == 1_500


STANDING = [
    # paid for the credits, paid in all, gone, minimum: stands, and how much more may go
    (1_000, 1_000, 0, 1_000, True, 0),
    (1_000, 1_000, 1, 1_000, False, None),
    (1_000, 1_000, 999, 1_000, False, None),  # $0.01 of $10 kept
    (1_000, 1_000, 1_000, 1_000, False, None),
    (2_500, 2_500, 1_500, 1_000, True, 0),
    (2_500, 2_500, 1_501, 1_000, False, None),
    (2_500, 2_500, 0, 1_000, True, 1_500),
    (1_000, 1_070, 0, 1_000, True, 0),  # tax on top: of each part that goes back, the credits' share does
    (1_000, 1_070, 1, 1_000, False, None),
    (950, 1_016, 0, 1_000, False, None),  # enough in all, not enough for the credits
    (2_000, 2_140, 1_070, 1_000, True, 0),
    (2_000, 2_140, 1_071, 1_000, False, None),
    (100, 100, 0, 0, True, 99),
    (100, 100, 99, 0, True, 0),
    (100, 100, 100, 0, False, None),  # without a minimum, too, something must stay paid
    (0, 0, 0, 0, True, 0),  # a free purchase, where that is enough
    (0, 500, 0, 0, True, 499),  # only shipping was paid
    (0, 500, 0, 1, False, None),
    (3, 7, 0, 2, True, 2),  # 3 x 5 >= 2 x 7 > 3 x 4
]


@pytest.mark.parametrize(("net", "paid", "gone", "minimum", "expected", "more"), STANDING)
def test_a_referral_stands_while_enough_stays_paid(*, net, paid, gone, minimum, expected, more):
    assert stands(net, paid, gone, minimum_minor=minimum) is expected
    if expected:
        assert standing_refund_minor(net, paid, gone, minimum_minor=minimum) == more


@given(data=st.data(), paid=st.integers(1, 10**8), minimum=st.integers(0, 10**8))
def test_the_largest_refund_that_leaves_it_standing(data, paid, minimum):
    net, gone = data.draw(st.integers(0, paid)), data.draw(st.integers(0, paid))
    assume(stands(net, paid, gone, minimum_minor=minimum))
    most = standing_refund_minor(net, paid, gone, minimum_minor=minimum)
    assert 0 <= most < paid - gone
    assert stands(net, paid, gone + most, minimum_minor=minimum)
    assert not stands(net, paid, gone + most + 1, minimum_minor=minimum)
