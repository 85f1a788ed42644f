"""Deductions in every mode, against a model that knows nothing of lots' bookkeeping."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.amounts import AMOUNT_MAX, MICROCREDITS_PER_CREDIT
from billing_service.domain.ledger.chain import GENESIS, link
from billing_service.domain.ledger.entries import Draw, Place, TransactionKind
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.deductions import DeductionMode, SpendingTerms, deduct
from tests.domain.ledger_model import (
    LATER_US,
    NOW_US,
    PAID,
    PLAN,
    PROMOTIONAL,
    SOON_US,
    account_with,
    check_shown,
    check_transaction,
    granted,
    in_published_order,
    lot,
    lots_of_an_account,
    snapshot,
    usable,
)
from tests.support.doubles import CountingIds

REJECT, UP_TO, ALLOW_DEBT = DeductionMode.REJECT, DeductionMode.UP_TO_AVAILABLE, DeductionMode.ALLOW_DEBT


def take(account, amount, mode=REJECT, **about):
    return deduct(account, amount, mode, now_us=NOW_US, ids=CountingIds(), **about)


SHORT = [
    # lots, debt, overdraft limit, amount, mode: available, shortfall
    ([], 0, 0, 1, REJECT, 0, 1),
    ([lot("lot_1", 5)], 0, 0, 6, REJECT, 5, 1),
    ([lot("lot_1", 5), lot("lot_2", 5, expires_us=NOW_US)], 0, 0, 6, REJECT, 5, 1),
    ([lot("lot_1", 5), lot("lot_2", 5, effective_us=SOON_US)], 0, 0, 6, REJECT, 5, 1),
    ([lot("lot_1", 5)], 3, 0, 3, REJECT, 2, 1),
    ([lot("lot_1", 5)], 5, 0, 1, REJECT, 0, 1),
    ([lot("lot_1", 5)], 9, 0, 1, REJECT, 0, 1),
    ([lot("lot_1", 5)], 0, 10, 16, REJECT, 5, 1),
    ([lot("lot_1", 5)], 9, 10, 7, REJECT, 0, 1),
    ([], 10, 10, 1, REJECT, 0, 1),
    ([], 20, 10, 1, REJECT, 0, 1),
    ([lot("lot_1", 5)], 0, 0, AMOUNT_MAX, REJECT, 5, AMOUNT_MAX - 5),
]


@pytest.mark.parametrize(("lots", "debt", "limit", "amount", "mode", "available", "shortfall"), SHORT)
def test_short_of_credits(*, lots, debt, limit, amount, mode, available, shortfall):
    account = account_with(*lots, debt=debt, overdraft_limit=limit)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        take(account, amount, mode)
    assert refused.value.reason is Reason.INSUFFICIENT_CREDITS
    assert refused.value.metadata == {
        "available_microcredits": str(available),
        "required_microcredits": str(amount),
        "shortfall_microcredits": str(shortfall),
    }
    assert snapshot(account) == before


@pytest.mark.parametrize("mode", DeductionMode)
def test_a_frozen_account_spends_nothing(mode):
    account = account_with(lot("lot_1", 5), frozen=True, overdraft_limit=100)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        take(account, 1, mode)
    assert refused.value.reason is Reason.ACCOUNT_FROZEN
    assert snapshot(account) == before


TERMS = SpendingTerms(debt_max=100)
BOUND = [
    # left, debt, own bound (-1: the terms'), overdraft limit: what may be owed in all, and what may be deducted
    (1, 0, -1, 0, 100, 101),
    (0, 0, -1, 0, 100, 100),
    (0, 30, -1, 0, 100, 70),
    (0, 100, -1, 0, 100, 0),
    (0, 900, -1, 0, 100, 0),  # taken back after it was spent: debt beyond any bound
    (0, 0, 7, 0, 7, 7),
    (0, 0, 0, 0, 0, 0),
    (5, 0, 0, 0, 0, 5),
    (0, 0, 300, 0, 300, 300),
    (0, 0, -1, 250, 250, 250),
    (0, 240, 7, 250, 250, 10),
    (5, 7, 7, 0, 7, 5),  # what is there settles debt first
]


@pytest.mark.parametrize(("left", "debt", "own", "overdraft", "bound", "most"), BOUND)
def test_debt_has_an_end(*, left, debt, own, overdraft, bound, most):
    account = account_with(*([lot("lot_1", left)] if left else []), debt=debt, debt_max=own, overdraft_limit=overdraft)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        take(account, most + 1, ALLOW_DEBT, terms=TERMS)
    assert refused.value.reason is Reason.INSUFFICIENT_CREDITS
    assert refused.value.metadata == {
        "available_microcredits": str(max(left - debt, 0)),
        "required_microcredits": str(most + 1),
        "shortfall_microcredits": str(1),
        "debt_max_microcredits": str(bound),
    }
    assert snapshot(account) == before
    if most:
        assert take(account, most, ALLOW_DEBT, terms=TERMS).amount == most
        assert account.debt == bound


def test_without_a_bound_of_its_own_an_account_owes_ten_thousand_credits():
    account = account_with(lot("lot_1", 1))
    with pytest.raises(Refusal):
        take(account, 10_000 * MICROCREDITS_PER_CREDIT + 2, ALLOW_DEBT)
    take(account, 10_000 * MICROCREDITS_PER_CREDIT + 1, ALLOW_DEBT)


@pytest.mark.parametrize(
    ("lots", "debt"),
    [([], 0), ([lot("lot_1", 5)], 5), ([lot("lot_1", 5)], 6), ([lot("lot_1", 5, expires_us=NOW_US)], 0)],
)
def test_nothing_available_means_a_deduction_of_nothing(lots, debt):
    account = account_with(*(replace(each) for each in lots), debt=debt, overdraft_limit=100)
    usable_before, balance = sum(usable(each, NOW_US) for each in lots), account.balance
    deducted = take(account, 1, UP_TO, caller="web", description="a haiku")
    (transaction,) = account.transactions
    assert (deducted.transaction_id, deducted.amount, deducted.draws) == (transaction.transaction_id, 0, [])
    assert (transaction.kind, transaction.amount, transaction.version) == (TransactionKind.DEDUCTION, 0, 1)
    assert sum(entry.amount for entry in transaction.entries) == min(usable_before, debt), (
        "debt that could be settled is"
    )
    assert (account.balance, account.debt) == (balance, debt - min(usable_before, debt))
    assert account.last_hash == transaction.hash == link(GENESIS, transaction)


TAKEN = [
    # lots, debt, overdraft limit, amount, mode: taken, debt after, draws
    ([lot("lot_1", 5)], 0, 0, 5, REJECT, 5, 0, [("lot_1", 5)]),
    ([lot("lot_1", 5), lot("lot_2", 5, PROMOTIONAL)], 0, 0, 6, REJECT, 6, 0, [("lot_2", 5), ("lot_1", 1)]),
    ([lot("lot_1", 5)], 0, 10, 15, REJECT, 15, 10, [("lot_1", 5)]),
    ([lot("lot_1", 5)], 9, 10, 6, REJECT, 6, 10, []),
    ([lot("lot_1", 5)], 3, 0, 2, REJECT, 2, 0, [("lot_1", 2)]),
    ([lot("lot_1", 5)], 0, 0, 9, UP_TO, 5, 0, [("lot_1", 5)]),
    ([lot("lot_1", 5)], 3, 0, 9, UP_TO, 2, 0, [("lot_1", 2)]),
    ([lot("lot_1", 5)], 0, 99, 9, UP_TO, 5, 0, [("lot_1", 5)]),
    ([], 0, 0, 9, ALLOW_DEBT, 9, 9, []),
    ([lot("lot_1", 5)], 0, 0, 9, ALLOW_DEBT, 9, 4, [("lot_1", 5)]),
    ([lot("lot_1", 5)], 7, 0, 9, ALLOW_DEBT, 9, 11, []),
]


@pytest.mark.parametrize(("lots", "debt", "limit", "amount", "mode", "taken", "debt_after", "draws"), TAKEN)
def test_what_is_taken(*, lots, debt, limit, amount, mode, taken, debt_after, draws):
    account = account_with(
        *(lot(each.lot_id, each.remaining, each.category) for each in lots), debt=debt, overdraft_limit=limit
    )
    deducted = take(account, amount, mode)
    assert deducted.amount == taken
    assert account.debt == debt_after
    assert [(draw.lot_id, draw.amount) for draw in deducted.draws] == draws


def test_a_transaction_remembers_what_it_was():
    account = account_with(lot("lot_1", 5, PLAN))
    deducted = take(account, 2, caller="web", description="a haiku", metadata='{"n":1}')
    (transaction,) = account.transactions
    assert deducted.transaction_id == transaction.transaction_id == CountingIds()("txn")
    assert (transaction.kind, transaction.amount, transaction.balance_after) == (TransactionKind.DEDUCTION, -2, 3)
    assert (transaction.caller, transaction.description, transaction.metadata) == ("web", "a haiku", '{"n":1}')
    assert transaction.create_time_us == NOW_US
    assert transaction.entries == [("lot_1", Place.USAGE, 2)]
    assert transaction.draws == [Draw("lot_1", PLAN, 2)]


def test_settling_debt_is_no_part_of_the_reply():
    account = account_with(lot("lot_1", 5, PROMOTIONAL), lot("lot_2", 5, PAID), debt=4)
    deducted = take(account, 3)
    assert account.transactions[0].entries == [
        ("lot_1", Place.DEBT, 4),
        ("lot_1", Place.USAGE, 1),
        ("lot_2", Place.USAGE, 2),
    ]
    assert deducted.draws == [Draw("lot_1", PROMOTIONAL, 1), Draw("lot_2", PAID, 2)]
    assert account.transactions[0].amount == -3


def expected(account, amount, mode):
    """With debts up to 9. None for a refusal; else what is taken and the debt after it, by arithmetic on totals
    alone."""
    offered = sum(usable(each, NOW_US) for each in account.lots)
    if account.frozen:
        return None
    if mode is UP_TO:
        taken = max(min(amount, offered - account.debt), 0)
        return (taken, max(account.debt - offered, 0))
    debt_after = max(account.debt + amount - offered, 0)
    covered = offered - account.debt >= amount
    bound = account.overdraft_limit if mode is REJECT else max(account.overdraft_limit, 9)
    if not covered and debt_after > bound:
        return None
    return (amount, debt_after)


@given(
    lots=lots_of_an_account(),
    debt=st.integers(0, 20),
    limit=st.sampled_from([0, 0, 5, 20]),
    frozen=st.sampled_from([False] * 9 + [True]),
    amount=st.integers(1, 40),
    mode=st.sampled_from(DeductionMode),
)
def test_every_deduction_is_what_arithmetic_says(*, lots, debt, limit, frozen, amount, mode):
    account = account_with(*lots, debt=debt, overdraft_limit=limit, frozen=frozen)
    wanted, before, offered = (
        expected(account, amount, mode),
        snapshot(account),
        sum(usable(each, NOW_US) for each in lots),
    )
    order = [(each.lot_id, usable(each, NOW_US)) for each in in_published_order(lots)]
    check_shown(account, NOW_US)
    try:
        deducted = take(account, amount, mode, terms=SpendingTerms(debt_max=9))
    except Refusal:
        assert wanted is None
        assert snapshot(account) == before
        return
    assert (deducted.amount, account.debt) == wanted
    left = min(offered, debt + deducted.amount)
    for lot_id, credits_offered in order:  # lots give in order: what settles debt first, then what is spent
        given_up = min(left, credits_offered)
        left -= given_up
        assert account.lot(lot_id).remaining == before[5][lot_id] - given_up
    assert account.balance == before[2] - deducted.amount
    assert sum(draw.amount for draw in deducted.draws) == max(min(offered - debt, deducted.amount), 0)
    check_transaction(account.transactions[0])
    check_shown(account, NOW_US)


def test_expired_and_coming_lots_are_never_touched():
    ended, coming, open_lot = (
        lot("lot_1", 5, expires_us=NOW_US),
        lot("lot_2", 5, effective_us=SOON_US),
        lot("lot_3", 5, expires_us=LATER_US),
    )
    account = account_with(ended, coming, open_lot)
    take(account, 20, ALLOW_DEBT)
    assert (ended.remaining, coming.remaining, open_lot.remaining) == (5, 5, 0)
    assert account.debt == 15


@pytest.mark.parametrize("effective_us", [None, NOW_US, NOW_US - 1])
def test_credits_are_there_before_the_clock_that_gave_them(ids, effective_us):
    """The clock may be set back, and another process's may be behind."""
    account = account_with()
    granted(account, 5, ids=ids, now_us=NOW_US + 1, effective_time_us=effective_us)
    assert take(account, 5).amount == 5
