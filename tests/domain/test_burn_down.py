"""The one published order: priority, earlier expiry, promotional before plan before paid, older, id."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given

from billing_service.domain.ledger.lots import burn_down_order
from billing_service.domain.spending.deductions import DeductionMode, deduct
from tests.domain.ledger_model import (
    LATER_US,
    NOW_US,
    PAID,
    PAST_US,
    PLAN,
    PROMOTIONAL,
    SOON_US,
    account_with,
    in_published_order,
    lot,
    lots_of_an_account,
)
from tests.support.doubles import CountingIds

FIRST_TO_LAST = [
    lot("lot_9", 1, PAID, priority=0),
    lot("lot_8", 1, PROMOTIONAL, priority=1, expires_us=SOON_US),
    lot("lot_7", 1, PAID, expires_us=SOON_US),
    lot("lot_6", 1, PROMOTIONAL, expires_us=LATER_US),
    lot("lot_5", 1, PLAN, expires_us=LATER_US),
    lot("lot_4", 1, PROMOTIONAL, created_us=NOW_US),
    lot("lot_3", 1, PLAN, created_us=PAST_US),
    lot("lot_20", 1, PAID, created_us=PAST_US),
    lot("lot_10", 1, PAID, created_us=NOW_US),
    lot("lot_2", 1, PAID, created_us=NOW_US),
    lot("lot_1", 1, PROMOTIONAL, priority=100, expires_us=SOON_US),
]


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(FIRST_TO_LAST)), ids=lambda each: each.lot_id)
def test_each_rule_decides(earlier, later):
    assert burn_down_order(earlier) < burn_down_order(later)


def test_the_order_of_arrival_does_not_matter():
    expected = [each.lot_id for each in FIRST_TO_LAST[3:8]]
    for arrival in permutations(FIRST_TO_LAST[3:8]):
        assert [each.lot_id for each in account_with(*arrival).lots] == expected


@given(lots_of_an_account())
def test_it_is_the_published_order(lots):
    assert sorted(lots, key=burn_down_order) == in_published_order(lots)


def test_free_credits_go_first_and_paid_ones_stay(ids):
    paid, plan, free = lot("lot_1", 10, PAID), lot("lot_2", 10, PLAN), lot("lot_3", 10, PROMOTIONAL)
    account = account_with(paid, plan, free)
    deduct(account, 10, DeductionMode.REJECT, now_us=NOW_US, ids=ids)
    assert (free.remaining, plan.remaining, paid.remaining) == (0, 10, 10)
    deduct(account, 15, DeductionMode.REJECT, now_us=NOW_US, ids=ids)
    assert (free.remaining, plan.remaining, paid.remaining) == (0, 0, 5)


@given(lots_of_an_account())
def test_one_microcredit_after_the_other_empties_lots_in_order(lots):
    account = account_with(*lots)
    usable = [each for each in in_published_order(lots) if each.spendable(NOW_US)]
    expected = [each.lot_id for each in usable for _ in range(each.remaining)]
    drawn = []
    for _ in expected:
        (draw,) = deduct(account, 1, DeductionMode.REJECT, now_us=NOW_US, ids=CountingIds()).draws
        drawn.append(draw.lot_id)
    assert drawn == expected
    assert account.spendable(NOW_US) == 0


@pytest.mark.parametrize(
    ("effective_us", "expires_us", "spendable"),
    [
        (PAST_US, None, True),
        (NOW_US, None, True),
        (NOW_US + 1, None, False),
        (PAST_US, NOW_US + 1, True),
        (PAST_US, NOW_US, False),
        (PAST_US, NOW_US - 1, False),
        (SOON_US, LATER_US, False),
    ],
)
def test_a_lot_is_spendable_from_its_begin_to_before_its_end(effective_us, expires_us, spendable):
    each = lot("lot_1", 1, effective_us=effective_us, expires_us=expires_us)
    assert each.spendable(NOW_US) is spendable
    assert not lot("lot_1", 0, effective_us=effective_us, expires_us=expires_us).spendable(NOW_US)
    assert each.has_expired(NOW_US) is (expires_us is not None and expires_us <= NOW_US)
