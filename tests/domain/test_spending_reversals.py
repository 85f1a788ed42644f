"""Deductions that are given back: debt first, then the lots, last drawn first, never more than was taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.entries import Draw, Place, TransactionKind
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.deductions import DeductionMode, SpendingTerms, deduct
from billing_service.domain.spending.reversals import check_may_reverse
from tests.domain.ledger_model import (
    LATER_US,
    NOW_US,
    PAID,
    PROMOTIONAL,
    account_with,
    check_account,
    granted,
    lot,
    snapshot,
)
from tests.domain.sales_model import Sale, undo
from tests.support.doubles import CountingIds


def deducted(account, amount, mode=DeductionMode.ALLOW_DEBT, *, ids):
    deduct(account, amount, mode, now_us=NOW_US, ids=ids)
    return account.transactions[-1]


def back(account, transaction, already, amount, *, ids, now_us=NOW_US):
    return undo(account, transaction, amount, already, ids=ids, now_us=now_us, caller="web", description="why")


def test_only_deductions_are_reversed(ids):
    account = account_with()
    granted(account, 10, ids=ids)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        back(account, account.transactions[0], 0, 1, ids=ids)
    assert refused.value.reason is Reason.TRANSACTION_NOT_REVERSIBLE
    assert snapshot(account) == before


DAY_US = 86_400_000_000
WINDOW = SpendingTerms(reversal_window_us=7 * DAY_US)
MAY_NOT = [
    # who made it, who asks, how old it is: the reason
    ("metering", "other", 0, Reason.NOT_YOURS),
    ("metering", "", 0, Reason.NOT_YOURS),
    ("", "metering", 0, Reason.NOT_YOURS),
    ("metering", "Metering", 0, Reason.NOT_YOURS),
    ("metering", "other", 8 * DAY_US, Reason.NOT_YOURS),
    ("metering", "metering", 7 * DAY_US + 1, Reason.REVERSAL_TOO_LATE),
    ("metering", "metering", 365 * DAY_US, Reason.REVERSAL_TOO_LATE),
    ("metering", "metering", 7 * DAY_US, None),
    ("metering", "metering", 0, None),
    ("metering", "metering", -DAY_US, None),  # a clock that was set back
]


@pytest.mark.parametrize(("made_by", "asked_by", "age_us", "reason"), MAY_NOT)
def test_callers_undo_what_they_did_and_only_for_a_while(*, ids, made_by, asked_by, age_us, reason):
    account = account_with(lot("lot_1", 9, amount=9))
    deduct(account, 5, DeductionMode.REJECT, now_us=NOW_US, ids=ids, caller=made_by)
    if reason is None:
        check_may_reverse(account.transactions[-1], asked_by, now_us=NOW_US + age_us, terms=WINDOW)
        return
    with pytest.raises(Refusal) as refused:
        check_may_reverse(account.transactions[-1], asked_by, now_us=NOW_US + age_us, terms=WINDOW)
    assert refused.value.reason is reason
    assert refused.value.metadata == ({"reversal_window_s": "604800"} if reason is Reason.REVERSAL_TOO_LATE else {})


def test_whoever_asks_only_deductions_are_reversed(ids):
    account = account_with()
    granted(account, 10, ids=ids)
    with pytest.raises(Refusal) as refused:
        check_may_reverse(account.transactions[0], "stranger", now_us=NOW_US, terms=WINDOW)
    assert refused.value.reason is Reason.TRANSACTION_NOT_REVERSIBLE


def test_what_comes_back_stays_within_what_an_account_may_hold(ids):
    account = account_with(lot("lot_1", 9, amount=9))
    transaction = deducted(account, 5, ids=ids)
    granted(account, BALANCE_MAX - account.balance, ids=ids)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        back(account, transaction, 0, 1, ids=ids)
    assert refused.value.reason is Reason.BALANCE_LIMIT_REACHED
    assert snapshot(account) == before


@pytest.mark.parametrize(("already", "amount", "left"), [(0, 6, 5), (3, 3, 2), (5, 1, 0), (5, None, 0)])
def test_never_more_than_was_taken(ids, already, amount, left):
    account = account_with(lot("lot_1", 9, amount=9))
    transaction = deducted(account, 5, ids=ids)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        back(account, transaction, already, amount, ids=ids)
    assert refused.value.reason is Reason.DEDUCTION_ALREADY_REVERSED
    assert refused.value.metadata == {"reversible_microcredits": str(left)}
    assert snapshot(account) == before


def test_debt_settled_by_the_deduction_is_no_part_of_it(ids):
    account = account_with(lot("lot_1", 9, amount=9), debt=4)
    transaction = deducted(account, 5, ids=ids)
    with pytest.raises(Refusal):
        back(account, transaction, 0, 6, ids=ids)
    assert back(account, transaction, 0, None, ids=ids).amount == 5


def test_the_transaction_says_what_it_reversed(ids):
    account = account_with(lot("lot_1", 9, amount=9))
    original = deducted(account, 5, ids=ids)
    reversal = back(account, original, 0, 2, ids=ids).transaction
    assert (reversal.kind, reversal.source_id) == (TransactionKind.DEDUCTION_REVERSAL, original.transaction_id)
    assert (reversal.amount, reversal.balance_after, reversal.caller, reversal.description) == (2, 6, "web", "why")
    assert reversal.entries == [(Place.USAGE, "lot_1", 2)]
    assert reversal.draws == [Draw("lot_1", PAID, -2)]


def test_debt_first_then_lots_last_drawn_first(ids):
    account = account_with(lot("lot_1", 3, PROMOTIONAL), lot("lot_2", 4, PAID))
    original = deducted(account, 9, ids=ids)
    assert account.debt == 2
    seen = []
    for already in range(9):
        back(account, original, already, 1, ids=ids)
        seen.append((account.debt, account.lot("lot_2").remaining, account.lot("lot_1").remaining))
    assert seen == [(1, 0, 0), (0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 3, 0), (0, 4, 0), (0, 4, 1), (0, 4, 2), (0, 4, 3)]


def test_what_comes_back_settles_other_debt_at_once(ids):
    account = account_with()
    granted(account, 5, ids=ids)
    first = deducted(account, 5, ids=ids)
    deducted(account, 3, ids=ids)
    assert account.debt == 3
    back(account, first, 0, None, ids=ids)
    assert (account.debt, account.balance) == (0, 2)
    check_account(account)


def test_an_expired_lot_gets_its_credits_back_and_stays_expired(ids):
    account = account_with()
    expiring = granted(account, 5, ids=ids, expire_time_us=LATER_US)
    original = deducted(account, 5, ids=ids)
    back(account, original, 0, None, ids=ids, now_us=LATER_US)
    assert expiring.remaining == 5
    assert account.show(LATER_US).available == 0


def test_a_frozen_account_gets_its_credits_back(ids):
    account = account_with(lot("lot_1", 5))
    original = deducted(account, 5, ids=ids)
    account.frozen = True
    back(account, original, 0, None, ids=ids)
    assert account.balance == 5


def test_no_lot_gets_more_than_it_was_granted(ids):
    """A purchase that went back took from other lots for what this deduction had spent; then it came back, or the
    deduction."""
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    bought, other = sale.lot, granted(account, 60, ids=ids)
    original = deducted(account, 60, ids=ids)
    sale.take(100)
    assert (bought.remaining, other.remaining, account.debt) == (0, 0, 0)
    back(account, original, 0, None, ids=ids)
    assert bought.remaining == 60
    check_account(account)


@given(
    granted_credits=st.lists(st.tuples(st.integers(1, 9), st.sampled_from([PROMOTIONAL, PAID])), max_size=4),
    amount=st.integers(1, 30),
    parts=st.lists(st.integers(1, 12), max_size=12),
)
def test_parts_add_up_to_the_whole(granted_credits, amount, parts):
    """Whatever the parts, never more than was taken comes back; when all came back, every lot is as it was."""
    numbers = CountingIds()
    account = account_with()
    for credits_granted, category in granted_credits:
        granted(account, credits_granted, category, ids=numbers)
    before = {each.lot_id: each.remaining for each in account.lots}
    original = deducted(account, amount, ids=numbers)
    already = 0
    for part in parts:
        if part > amount - already:
            with pytest.raises(Refusal):
                back(account, original, already, part, ids=numbers)
            continue
        assert back(account, original, already, part, ids=numbers).amount == part
        already += part
        check_account(account)
        assert account.balance == sum(before.values()) - amount + already
    if already < amount:
        assert back(account, original, already, None, ids=numbers).amount == amount - already
    assert {each.lot_id: each.remaining for each in account.lots} == before
    assert account.debt == 0
    check_account(account)
