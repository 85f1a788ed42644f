"""Credits whose money went back: absolute targets, set-aside, what had expired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import expire
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.sales.clawbacks import Taken
from tests.domain.ledger_model import LATER_US, NOW_US, PAID, PROMOTIONAL, SOON_US, account_with, check_account, granted
from tests.domain.sales_model import Sale, spend, undo
from tests.support.doubles import CountingIds


def test_debt_has_an_end(ids):
    account = account_with()
    sale = Sale(account, 10, ids=ids)
    spend(account, 10, ids=ids)
    account.debt, account.balance = BALANCE_MAX - 9, 9 - BALANCE_MAX
    with pytest.raises(Refusal) as refused:
        sale.take(10)
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
    sale = Sale(account, bought, ids=ids)
    if spent:
        spend(account, spent, ids=ids)
    assert sale.take(taken, set_aside=set_aside) == Taken(lots=taken - debt, debt=debt)
    transaction = account.transactions[-1]
    assert (sale.lot.remaining, account.debt) == (left, debt)
    assert (transaction.kind, transaction.amount, transaction.source_id) == (
        TransactionKind.PURCHASE_REVERSAL,
        -taken,
        "pur_1",
    )
    assert (transaction.caller, transaction.description) == ("web", "why")
    assert account.set_aside == (taken if set_aside else 0)
    assert {entry.destination for entry in transaction.entries} == {Place.SET_ASIDE if set_aside else Place.REVERSED}
    check_account(account)


def test_the_own_lot_goes_before_freer_credits(ids):
    account = account_with()
    free = granted(account, 50, PROMOTIONAL, ids=ids)
    sale = Sale(account, 100, ids=ids)
    sale.take(100)
    assert (free.remaining, sale.lot.remaining) == (50, 0)


def test_debt_is_settled_at_once_from_other_lots_in_burn_down_order(ids):
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    spend(account, 70, ids=ids)
    free, paid = granted(account, 50, PROMOTIONAL, ids=ids), granted(account, 50, PAID, ids=ids)
    assert sale.take(100).debt == 70
    assert (account.debt, sale.lot.remaining, free.remaining, paid.remaining) == (0, 0, 0, 30)
    check_account(account)


LOST = [
    # bought, spent of it, taken when the rest has expired: expired part, debt
    (2000, 500, 2000, 1500, 500),
    (2000, 0, 2000, 2000, 0),
    (2000, 2000, 2000, 0, 2000),
    (2000, 500, 1500, 1500, 0),
    (2000, 500, 1, 1, 0),
    (2000, 500, 1501, 1500, 1),
]


@pytest.mark.parametrize("set_aside", [False, True])
@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize(("bought", "spent", "taken", "expired", "debt"), LOST)
def test_what_expired_is_taken_before_anything_is_owed(ids, *, bought, spent, taken, expired, debt, swept, set_aside):
    """Whether or not the expiry was booked: debt is what was spent, and no more."""
    account = account_with()
    sale = Sale(account, bought, ids=ids, expire_time_us=SOON_US)
    if spent:
        spend(account, spent, ids=ids)
    if swept:
        expire(account, now_us=LATER_US, ids=ids)
    assert sale.take(taken, now_us=LATER_US, set_aside=set_aside) == Taken(expired=expired, debt=debt)
    assert (account.debt, sale.lot.remaining, sale.lot.expired) == (debt, 0, bought - spent)
    assert account.set_aside == (debt if set_aside else 0), "what had expired is gone at once"
    check_account(account)


def test_what_expired_is_booked_as_of_its_end_before_it_is_taken(ids):
    account = account_with()
    sale = Sale(account, 100, ids=ids, expire_time_us=SOON_US)
    sale.take(50, now_us=LATER_US)
    expiry, taken = account.transactions[-2:]
    assert (expiry.kind, expiry.effective_time_us, expiry.amount) == (TransactionKind.EXPIRY, SOON_US, -100)
    assert (taken.kind, taken.effective_time_us, taken.amount) == (TransactionKind.PURCHASE_REVERSAL, 0, 0)


def test_what_expired_is_taken_once(ids):
    account = account_with()
    sale = Sale(account, 100, ids=ids, expire_time_us=SOON_US)
    spend(account, 40, ids=ids)
    steps = [sale.take(amount, now_us=LATER_US) for amount in (50, 30, 20)]
    assert steps == [Taken(expired=50), Taken(expired=10, debt=20), Taken(debt=20)]
    check_account(account)


def test_what_was_left_goes_before_what_had_expired(ids):
    """A lot that was given something back after it had expired in part, by a clock that was set back since."""
    account = account_with()
    sale = Sale(account, 100, ids=ids, expire_time_us=SOON_US)
    spending = spend(account, 40, ids=ids)
    expire(account, now_us=LATER_US, ids=ids)
    undo(account, spending, 10, ids=ids)
    assert sale.take(75) == Taken(lots=10, expired=60, debt=5)
    check_account(account)


def test_what_was_set_aside_is_shown_as_frozen_until_it_is_settled(ids):
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    sale.take(60, set_aside=True)
    assert account.show(NOW_US)[1:4] == (40, 0, 60)
    transaction = sale.settle(60)
    assert (transaction.kind, transaction.amount, transaction.balance_after) == (
        TransactionKind.REFUND_SETTLEMENT,
        0,
        40,
    )
    assert transaction.entries == [(Place.SET_ASIDE, Place.REVERSED, 60)]
    assert account.show(NOW_US)[1:4] == (40, 0, 0)
    check_account(account)


@pytest.mark.parametrize("amount", [0, -1, 61])
def test_no_more_is_settled_than_was_set_aside(ids, amount):
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    sale.take(60, set_aside=True)
    with pytest.raises(AssertionError):
        sale.settle(amount)
    assert account.set_aside == 60


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
        sale = Sale(account, 100, ids=numbers)
        if spent:
            spend(account, spent, ids=numbers)
        for step, target in enumerate(path):
            if step < len(grants):
                granted(account, grants[step], PROMOTIONAL, ids=numbers)
            sale.follow(target)
            check_account(account)
        for late in grants[len(path) :]:
            granted(account, late, PROMOTIONAL, ids=numbers)
        return account.balance, account.debt, account.show(NOW_US).available

    assert run(targets) == run(targets[-1:]) == run([*targets, *targets[-2:]])


@given(
    spent=st.integers(0, 100),
    targets=st.lists(st.integers(0, 100), min_size=1, max_size=6),
    ends_after=st.integers(0, 6),
    sweeps=st.sets(st.integers(0, 6)),
)
def test_neither_the_order_nor_the_sweep_decides_what_is_owed(spent, targets, ends_after, sweeps):
    """The lot expires after some of the steps; its expiry is booked at some of them. Debt is never more than was
    spent."""

    def run(path, sweeps, ends_after):
        numbers = CountingIds()
        account = account_with()
        sale = Sale(account, 100, ids=numbers, expire_time_us=SOON_US)
        if spent:
            spend(account, spent, ids=numbers)
        for step, target in enumerate(path):
            now_us = LATER_US if step >= ends_after else NOW_US
            if step in sweeps:
                expire(account, now_us=now_us, ids=numbers)
            sale.follow(target, now_us=now_us)
            assert account.debt <= spent
            check_account(account)
        expire(account, now_us=LATER_US, ids=numbers)
        return account.balance, account.debt, account.show(LATER_US).available

    assert run(targets, sweeps, ends_after) == run(targets, set(), ends_after)
    assert run(targets, sweeps, 0) == run(targets[-1:], set(), 0)
