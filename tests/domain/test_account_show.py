"""What an account shows: categories, frozen and owed credits, and what expires next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.balance import Balance, next_change_us
from tests.domain.ledger_model import (
    LATER_US,
    NOW_US,
    PAID,
    PLAN,
    PROMOTIONAL,
    SOON_US,
    account_with,
    check_shown,
    in_published_order,
    lot,
    lots_of_an_account,
    usable,
)


def shown(*lots, **about):
    return account_with(*lots, **about).show(NOW_US)


def balance(**about):
    zero = dict.fromkeys(Balance._fields, 0) | {"account_id": "acme", "next_expiry_us": None, "as_of_us": NOW_US}
    return Balance(**(zero | about))


CASES = [
    ("nothing", [], {}, {}),
    ("debt alone", [], {"debt": 5}, {"debt": 5}),
    (
        "categories",
        [lot("lot_1", 1, PROMOTIONAL), lot("lot_2", 2, PLAN), lot("lot_3", 4, PAID)],
        {},
        {"available": 7, "promotional": 1, "plan": 2, "paid": 4},
    ),
    ("expired", [lot("lot_1", 5, expires_us=NOW_US)], {}, {}),
    ("expired pays no debt", [lot("lot_1", 5, expires_us=NOW_US)], {"debt": 3}, {"debt": 3}),
    ("to come", [lot("lot_1", 5, effective_us=NOW_US + 1)], {}, {"frozen": 5}),
    ("to come pays no debt", [lot("lot_1", 5, effective_us=NOW_US + 1)], {"debt": 3}, {"frozen": 5, "debt": 3}),
    ("debt covered", [lot("lot_1", 2, PROMOTIONAL), lot("lot_2", 9, PAID)], {"debt": 5}, {"available": 6, "paid": 6}),
    ("debt not covered", [lot("lot_1", 2, PROMOTIONAL), lot("lot_2", 9, PAID)], {"debt": 12}, {"debt": 1}),
    ("account frozen", [lot("lot_1", 5, expires_us=SOON_US)], {"frozen": True}, {"frozen": 5}),
    ("account frozen in debt", [lot("lot_1", 5)], {"frozen": True, "debt": 8}, {"debt": 3}),
    (
        "next expiry",
        [
            lot("lot_1", 1, expires_us=LATER_US),
            lot("lot_2", 2, expires_us=SOON_US),
            lot("lot_3", 4, expires_us=SOON_US),
            lot("lot_4", 8),
        ],
        {},
        {"available": 15, "paid": 15, "next_expiry_us": SOON_US, "next_expiry_amount": 6},
    ),
    (
        "next expiry behind another priority",
        [lot("lot_1", 1, expires_us=LATER_US, priority=0), lot("lot_2", 2, expires_us=SOON_US)],
        {},
        {"available": 3, "paid": 3, "next_expiry_us": SOON_US, "next_expiry_amount": 2},
    ),
    (
        "debt eats what expires first",
        [lot("lot_1", 3, expires_us=SOON_US), lot("lot_2", 3, expires_us=LATER_US)],
        {"debt": 4},
        {"available": 2, "paid": 2, "next_expiry_us": LATER_US, "next_expiry_amount": 2},
    ),
]


@pytest.mark.parametrize(("lots", "about", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_shown(lots, about, expected):
    assert shown(*lots, **about) == balance(**expected)


def test_set_aside_credits_are_frozen():
    account = account_with(lot("lot_1", 5))
    account.set_aside = 3
    assert account.show(NOW_US) == balance(available=5, paid=5, frozen=3)


def test_the_version_is_shown():
    account = account_with()
    account.version = 42
    assert account.show(NOW_US).version == 42


@given(
    lots=lots_of_an_account(),
    debt=st.integers(0, 30),
    frozen=st.booleans(),
    now=st.sampled_from([NOW_US, SOON_US, LATER_US]),
)
def test_it_adds_up_whatever_is_held(lots, debt, frozen, now):
    account = account_with(*lots, debt=debt, frozen=frozen)
    found = check_shown(account, now)
    left, by_category = debt, dict.fromkeys((PROMOTIONAL, PLAN, PAID), 0)
    for each in in_published_order(lots):
        kept = max(usable(each, now) - left, 0)
        left = max(left - usable(each, now), 0)
        by_category[each.category] += kept
    assert found.debt == left
    if not frozen:
        assert (found.promotional, found.plan, found.paid) == tuple(by_category.values())


@given(lots=lots_of_an_account(), debt=st.integers(0, 30))
def test_showing_changes_nothing(lots, debt):
    account = account_with(*lots, debt=debt)
    before = [each.remaining for each in lots]
    assert account.show(NOW_US) == account.show(NOW_US)
    assert ([each.remaining for each in lots], account.debt) == (before, debt)


CHANGES = [
    ("nothing", [], {}, None),
    ("a lot without ends", [lot("lot_1", 5)], {}, None),
    ("it expires", [lot("lot_1", 5, expires_us=SOON_US)], {}, SOON_US),
    ("it is empty", [lot("lot_1", 0, expires_us=SOON_US)], {}, None),
    ("it expired", [lot("lot_1", 5, expires_us=NOW_US)], {}, None),
    ("it begins, then expires", [lot("lot_1", 5, effective_us=SOON_US, expires_us=LATER_US)], {}, SOON_US),
    ("a hold ends before", [lot("lot_1", 5, expires_us=LATER_US)], {"holds_end_us": SOON_US}, SOON_US),
    ("a hold has ended", [lot("lot_1", 5, expires_us=LATER_US)], {"holds_end_us": NOW_US}, LATER_US),
    ("frozen credits expire too", [lot("lot_1", 5, expires_us=SOON_US)], {"frozen": True}, SOON_US),
]


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case[0])
def test_when_time_changes_what_is_shown_next(case):
    _, lots, about, expected = case
    account = account_with(*lots)
    for name, value in about.items():
        setattr(account, name, value)
    assert next_change_us(account, NOW_US) == expected


@given(lots=lots_of_an_account(), until_us=st.integers(NOW_US, 2 * LATER_US - NOW_US))
def test_until_then_nothing_changes(lots, until_us):
    account = account_with(*lots)
    change_us = next_change_us(account, NOW_US)
    if change_us is None or until_us < change_us:
        assert account.show(until_us).shows_same(account.show(NOW_US))
