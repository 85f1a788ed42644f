"""Credits whose money came back after all: what was really taken, debt first."""

import pytest

from billing_service.domain.ledger.entries import TransactionKind
from billing_service.domain.sales.clawbacks import Taken
from tests.domain.ledger_model import LATER_US, NOW_US, PAID, PROMOTIONAL, SOON_US, account_with, check_account, granted
from tests.domain.sales_model import LIFETIME_US, Sale, payments_of, spend, undo


@pytest.mark.parametrize("spent", [0, 1, 40, 99, 100])
@pytest.mark.parametrize("refund_failed", [False, True])
def test_a_round_trip_ends_where_it_began(ids, spent, refund_failed):
    """Set aside, settled, and given back since Stripe failed later; or lost to a dispute, and won."""
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    if spent:
        spend(account, spent, ids=ids)
    before = (account.balance, account.debt, account.set_aside, sale.lot.remaining, account.show(NOW_US)[:-1])
    sale.take(100, set_aside=refund_failed)
    if refund_failed:
        sale.settle(100)
    transaction = sale.give_back(100)
    assert (transaction.kind, transaction.amount) == (TransactionKind.PURCHASE_REINSTATEMENT, 100)
    assert (account.balance, account.debt, account.set_aside, sale.lot.remaining, account.show(NOW_US)[:-1]) == before
    check_account(account)


def test_what_comes_back_is_what_was_taken_debt_first(ids):
    """Of 500 spent, 200 left and 300 expired: 500 come back as debt repaid, 200 as credits, 300 as nothing that anybody
    has."""
    account = account_with()
    sale = Sale(account, 1000, ids=ids, expire_time_us=SOON_US)
    spend(account, 500, ids=ids)
    sale.take(200)
    sale.take(800, now_us=LATER_US)
    assert sale.taken == Taken(lots=200, expired=300, debt=500)
    for amount, debt, left, entries in (
        (400, 100, 0, [("reversed", "debt", 400)]),
        (200, 0, 100, [("reversed", "debt", 100), ("reversed", sale.lot.lot_id, 100)]),
        (250, 0, 200, [("reversed", sale.lot.lot_id, 100), ("reversed", "expired", 150)]),
        (150, 0, 200, [("reversed", "expired", 150)]),
    ):
        assert sale.give_back(amount, now_us=LATER_US).entries == entries
        assert (account.debt, sale.lot.remaining) == (debt, left)
        check_account(account)
    assert sale.taken == Taken()


def test_debt_that_was_settled_goes_back_to_who_paid_it(ids):
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    spend(account, 100, ids=ids)
    sale.take(100)
    gift, second = (
        granted(account, 30, PROMOTIONAL, ids=ids, expire_time_us=SOON_US),
        granted(account, 100, PAID, ids=ids),
    )
    assert (account.debt, gift.remaining, second.remaining) == (0, 0, 30)
    sale.give_back(100)
    assert (sale.lot.remaining, gift.remaining, second.remaining) == (0, 30, 100)
    check_account(account)


@pytest.mark.parametrize("ends_us", [None, SOON_US])
def test_settled_debt_of_an_unknown_payer_ends_before_long(ids, monkeypatch, ends_us):
    """Credits with an end may have paid it: they do not become the purchase's, which has none."""
    monkeypatch.setattr("tests.domain.sales_model.recent_payments", lambda *_: [])
    account = account_with()
    sale = Sale(account, 40, ids=ids, expire_time_us=ends_us)
    spend(account, 40, ids=ids)
    sale.take(40)
    granted(account, 40, ids=ids)
    sale.give_back(40, now_us=LATER_US)
    assert account.show(LATER_US).available == 40
    (made,) = [each for each in account.lots if each.remaining]
    assert (made.category, made.expire_time_us, made.source_id) == (PROMOTIONAL, LATER_US + LIFETIME_US, "")
    check_account(account)


@pytest.mark.parametrize("known", [1, 2])
def test_what_an_unknown_payer_gets_back_ends_with_the_known_payers(ids, monkeypatch, known):
    """The newest of them has no end, or is the only one."""
    account = account_with()
    sale = Sale(account, 40, ids=ids)
    spend(account, 40, ids=ids)
    sale.take(40)
    granted(account, 20, ids=ids)
    trial, bought = (
        granted(account, 10, PROMOTIONAL, ids=ids, expire_time_us=LATER_US + 7),
        granted(account, 10, PAID, ids=ids),
    )
    every = payments_of(account, 40, "pur_1")
    monkeypatch.setattr("tests.domain.sales_model.recent_payments", lambda *_: every[:known])
    sale.give_back(40, now_us=LATER_US)
    (made,) = [each for each in account.lots if each.remaining and each not in (trial, bought)]
    assert made.expire_time_us == LATER_US + (LIFETIME_US if known == 1 else 7)
    check_account(account)


def test_what_comes_back_settles_other_debt(ids):
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    sale.take(100)
    spend(account, 30, ids=ids)
    sale.give_back(100)
    assert (account.debt, sale.lot.remaining) == (0, 70)
    check_account(account)


def test_spent_credits_that_came_back_do_not_overfill_a_lot(ids):
    """The refund took other credits for what was spent; then the spending was undone; then the refund failed."""
    account = account_with()
    sale = Sale(account, 100, ids=ids, expire_time_us=LATER_US, priority=7)
    spending = spend(account, 60, ids=ids)
    other = granted(account, 60, ids=ids)
    sale.take(100)
    undo(account, spending, ids=ids)
    sale.give_back(100)
    assert (account.balance, account.debt, sale.lot.remaining, other.remaining) == (160, 0, 100, 60)
    check_account(account)


def test_a_reversal_after_the_money_came_back_does_not_overfill_a_lot(ids):
    account = account_with()
    sale = Sale(account, 100, ids=ids)
    spending = spend(account, 60, ids=ids)
    granted(account, 60, ids=ids)
    sale.take(100)
    sale.give_back(100)
    undo(account, spending, ids=ids)
    assert (account.balance, account.debt, sale.lot.remaining) == (160, 0, 100)
    check_account(account)


def test_giving_back_to_a_purchase_that_has_expired_repays_debt_all_the_same(ids):
    """Into the lot first, the credits would be lost: an expired lot settles nothing."""
    account = account_with()
    sale = Sale(account, 100, ids=ids, expire_time_us=SOON_US)
    spend(account, 100, ids=ids)
    sale.take(100)
    assert account.debt == 100
    sale.give_back(100, now_us=LATER_US)
    assert (account.debt, sale.lot.remaining) == (0, 0)
