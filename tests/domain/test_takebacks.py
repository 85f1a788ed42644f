"""Credits whose money went back, or came back: absolute targets, set-aside, bonuses."""

import pytest
from doubles import CountingIds
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import LATER_US, NOW_US, PAID, PROMOTIONAL, SOON_US, account_with, check_account, granted, lot, snapshot

from billing_service.domain.amounts import BALANCE_MAX
from billing_service.domain.deduction_reversals import DeductionToReverse, reverse_deduction
from billing_service.domain.entries import Place, TransactionKind
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.deductions import DeductionMode, deduct
from billing_service.domain.takebacks import reinstate, restore_bonus, settle_set_aside, take_back, take_bonus


def spend(account, amount, *, ids):
    deduct(account, amount, DeductionMode.ALLOW_DEBT, now_us=NOW_US, ids=ids)
    return account.transactions[-1]


def take(account, bought, amount, *, ids, set_aside=False):
    return take_back(
        account, bought, amount, set_aside=set_aside, source_id="pur_1", now_us=NOW_US, ids=ids, caller="web", description="why"
    )


def give_back(account, bought, amount, *, ids):
    return reinstate(account, bought, amount, source_id="pur_1", now_us=NOW_US, ids=ids)


def test_debt_has_an_end(ids):
    bought = lot("lot_1", 0, amount=10)
    account = account_with(bought, debt=BALANCE_MAX - 9)
    with pytest.raises(Refusal) as refused:
        take(account, bought, 10, ids=ids)
    assert refused.value.reason is Reason.BALANCE_LIMIT_REACHED


TAKEN = [
    # bought, spent of it, taken: left of the lot, debt
    (100, 0, 100, 0, 0),
    (100, 0, 30, 70, 0),
    (100, 40, 60, 0, 0),
    (100, 40, 100, 0, 40),
    (100, 100, 100, 0, 100),
    (100, 100, 1, 0, 1),
]


@pytest.mark.parametrize("set_aside", [False, True])
@pytest.mark.parametrize(("bought", "spent", "taken", "left", "debt"), TAKEN)
def test_the_purchases_own_lot_first_then_debt(ids, *, bought, spent, taken, left, debt, set_aside):
    account = account_with()
    purchase = granted(account, bought, ids=ids)
    if spent:
        spend(account, spent, ids=ids)
    transaction, owed = take(account, purchase, taken, ids=ids, set_aside=set_aside)
    assert (purchase.remaining, account.debt, owed) == (left, debt, debt)
    assert (transaction.kind, transaction.amount, transaction.source_id) == (TransactionKind.PURCHASE_REVERSAL, -taken, "pur_1")
    assert (transaction.caller, transaction.description) == ("web", "why")
    assert account.set_aside == (taken if set_aside else 0)
    assert {entry.destination for entry in transaction.entries} == {Place.SET_ASIDE if set_aside else Place.REVERSED}
    check_account(account)


def test_the_own_lot_goes_before_freer_credits(ids):
    account = account_with()
    free, bought = granted(account, 50, PROMOTIONAL, ids=ids), granted(account, 100, PAID, ids=ids)
    take(account, bought, 100, ids=ids)
    assert (free.remaining, bought.remaining) == (50, 0)


def test_debt_is_settled_at_once_from_other_lots_in_burn_down_order(ids):
    account = account_with()
    bought = granted(account, 100, PAID, ids=ids)
    spend(account, 70, ids=ids)
    free, paid = granted(account, 50, PROMOTIONAL, ids=ids), granted(account, 50, PAID, ids=ids)
    _, owed = take(account, bought, 100, ids=ids)
    assert (owed, account.debt) == (70, 0)
    assert (bought.remaining, free.remaining, paid.remaining) == (0, 0, 30)
    check_account(account)


def test_an_expired_purchase_gives_what_is_left_of_it(ids):
    account = account_with()
    bought = granted(account, 100, ids=ids, expire_time_us=NOW_US)
    take(account, bought, 100, ids=ids)
    assert (bought.remaining, account.debt) == (0, 0)


def test_what_was_set_aside_is_shown_as_frozen_until_it_is_settled(ids):
    account = account_with()
    bought = granted(account, 100, ids=ids)
    take(account, bought, 60, ids=ids, set_aside=True)
    assert account.show(NOW_US)[1:4] == (40, 0, 60)
    transaction = settle_set_aside(account, 60, source_id="ref_1", now_us=NOW_US, ids=ids)
    assert (transaction.kind, transaction.amount, transaction.balance_after) == (TransactionKind.REFUND_SETTLEMENT, 0, 40)
    assert transaction.entries == [(Place.SET_ASIDE, Place.REVERSED, 60)]
    assert account.show(NOW_US)[1:4] == (40, 0, 0)
    check_account(account)


@pytest.mark.parametrize("amount", [0, -1, 61])
def test_no_more_is_settled_than_was_set_aside(ids, amount):
    account = account_with()
    take(account, granted(account, 100, ids=ids), 60, ids=ids, set_aside=True)
    with pytest.raises(AssertionError):
        settle_set_aside(account, amount, source_id="ref_1", now_us=NOW_US, ids=ids)
    assert account.set_aside == 60


@pytest.mark.parametrize("spent", [0, 1, 40, 99, 100])
@pytest.mark.parametrize("refund_failed", [False, True])
def test_a_round_trip_ends_where_it_began(ids, spent, refund_failed):
    """Set aside, settled, and given back since Stripe failed later; or lost to a dispute, and won."""
    account = account_with()
    bought = granted(account, 100, ids=ids)
    if spent:
        spend(account, spent, ids=ids)
    before = (account.balance, account.debt, account.set_aside, bought.remaining, account.show(NOW_US)[:-1])
    take(account, bought, 100, ids=ids, set_aside=refund_failed)
    if refund_failed:
        settle_set_aside(account, 100, source_id="ref_1", now_us=NOW_US, ids=ids)
    transaction = give_back(account, bought, 100, ids=ids)
    assert (transaction.kind, transaction.amount) == (TransactionKind.PURCHASE_REINSTATEMENT, 100)
    assert (account.balance, account.debt, account.set_aside, bought.remaining, account.show(NOW_US)[:-1]) == before
    check_account(account)


def test_giving_back_repays_debt_first_whatever_its_cause(ids):
    account = account_with()
    bought = granted(account, 100, ids=ids)
    take(account, bought, 100, ids=ids)
    spend(account, 30, ids=ids)
    give_back(account, bought, 100, ids=ids)
    assert (account.debt, bought.remaining) == (0, 70)
    check_account(account)


@given(
    spent=st.integers(0, 120),
    targets=st.lists(st.integers(0, 100), min_size=1, max_size=8),
    grants=st.lists(st.integers(1, 60), max_size=3),
)
def test_the_last_target_alone_decides(spent, targets, grants):
    """Absolute targets in any order, through any others, end at the same balance; grants in between included."""

    def run(path):
        numbers = CountingIds()
        account = account_with()
        bought = granted(account, 100, ids=numbers)
        if spent:
            spend(account, spent, ids=numbers)
        taken = 0
        for step, target in enumerate(path):
            if step < len(grants):
                granted(account, grants[step], PROMOTIONAL, ids=numbers)
            if target > taken:
                take(account, bought, target - taken, ids=numbers)
            elif target < taken:
                give_back(account, bought, taken - target, ids=numbers)
            taken = target
            check_account(account)
        for late in grants[len(path) :]:
            granted(account, late, PROMOTIONAL, ids=numbers)
        return account.balance, account.debt, account.show(NOW_US).available

    assert run(targets) == run(targets[-1:]) == run([*targets, *targets[-2:]])


def test_spent_credits_that_came_back_do_not_overfill_a_lot(ids):
    """The refund took other credits for what was spent; then the spending was reversed; then the refund failed."""
    account = account_with()
    bought = granted(account, 100, ids=ids, expire_time_us=LATER_US, priority=7)
    spending = spend(account, 60, ids=ids)
    granted(account, 60, ids=ids)
    take(account, bought, 100, ids=ids)
    reverse_deduction(account, DeductionToReverse(spending, 0), None, now_us=NOW_US, ids=ids)
    give_back(account, bought, 100, ids=ids)
    assert (account.balance, account.debt, bought.remaining) == (160, 0, 100)
    check_account(account)
    beside = next(each for each in account.lots if each.remaining == 60)
    assert (beside.category, beside.priority, beside.expire_time_us, beside.source_id) == (PAID, 7, LATER_US, bought.source_id)


def test_a_reversal_after_the_money_came_back_does_not_overfill_a_lot(ids):
    account = account_with()
    bought = granted(account, 100, ids=ids)
    spending = spend(account, 60, ids=ids)
    granted(account, 60, ids=ids)
    take(account, bought, 100, ids=ids)
    give_back(account, bought, 100, ids=ids)
    reverse_deduction(account, DeductionToReverse(spending, 0), None, now_us=NOW_US, ids=ids)
    assert (account.balance, account.debt, bought.remaining) == (160, 0, 100)
    check_account(account)


def test_an_empty_bonus_is_nobodys_debt(ids):
    account = account_with()
    bonus = granted(account, 10, PROMOTIONAL, ids=ids)
    spend(account, 10, ids=ids)
    before = snapshot(account)
    assert take_bonus(account, bonus, source_id="pur_1", now_us=NOW_US, ids=ids) is None
    assert snapshot(account) == before


@pytest.mark.parametrize("spent", [0, 4, 9])
def test_what_is_left_of_a_bonus_goes_and_comes_back(ids, spent):
    account = account_with()
    bonus = granted(account, 10, PROMOTIONAL, ids=ids, expire_time_us=SOON_US)
    if spent:
        spend(account, spent, ids=ids)
    taken = take_bonus(account, bonus, source_id="pur_1", now_us=NOW_US, ids=ids)
    assert (taken.kind, taken.amount, bonus.remaining, account.debt) == (TransactionKind.BONUS_REVERSAL, spent - 10, 0, 0)
    assert taken.entries == [(bonus.lot_id, Place.BONUSES, 10 - spent)]
    back = restore_bonus(account, bonus, 10 - spent, source_id="pur_1", now_us=NOW_US, ids=ids)
    assert (back.kind, back.amount, bonus.remaining) == (TransactionKind.GRANT, 10 - spent, 10 - spent)
    assert back.entries == [(Place.BONUSES, bonus.lot_id, 10 - spent)]
    check_account(account)


def test_giving_back_to_a_purchase_that_has_expired_repays_debt_all_the_same(ids):
    """Into the lot first, the credits would be lost: an expired lot settles nothing."""
    account = account_with()
    bought = granted(account, 100, ids=ids, expire_time_us=SOON_US)
    spend(account, 100, ids=ids)
    take(account, bought, 100, ids=ids)
    assert account.debt == 100
    reinstate(account, bought, 100, source_id="pur_1", now_us=LATER_US, ids=ids)
    assert (account.debt, bought.remaining) == (0, 0)
    check_account(account)
