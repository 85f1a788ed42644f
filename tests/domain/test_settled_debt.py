"""Debt that was settled before what made it came back: the credits return to the lots that paid, and keep their
terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.entries import Entry, Place, Transaction, TransactionKind
from billing_service.domain.ledger.granting import expire
from billing_service.domain.ledger.settled_debt import Payment, recent_payments
from billing_service.domain.spending.deductions import DeductionMode, SpendingTerms, deduct
from tests.domain.ledger_model import LATER_US, NOW_US, PAID, PROMOTIONAL, SOON_US, account_with, check_account, granted
from tests.domain.sales_model import undo
from tests.support.doubles import SECOND_US, CountingIds

DAY_US = 86_400 * SECOND_US
TRIAL_US = 7 * DAY_US
TERMS = SpendingTerms()


def owing(amount, *, ids):
    """An account that owes what a deduction took, and that deduction."""
    account = account_with()
    deduct(account, amount, DeductionMode.ALLOW_DEBT, now_us=NOW_US, ids=ids)
    return account, account.transactions[-1]


def test_an_expiry_is_not_shaken_off_by_paying_debt(ids):
    """1,000 owed, paid by a trial of 7 days, and the deduction undone: 1,000 that end with the trial."""
    account, original = owing(1000, ids=ids)
    trial = granted(account, 1000, PROMOTIONAL, ids=ids, expire_time_us=NOW_US + TRIAL_US)
    assert (account.debt, trial.remaining) == (0, 0)
    undo(account, original, ids=ids)
    assert account.show(NOW_US + TRIAL_US - 1).available == 1000
    assert account.show(NOW_US + TRIAL_US).available == 0
    check_account(account)


def test_a_trial_that_is_over_gives_nothing_back(ids):
    account, original = owing(1000, ids=ids)
    granted(account, 1000, PROMOTIONAL, ids=ids, expire_time_us=NOW_US + TRIAL_US)
    assert undo(account, original, ids=ids, now_us=NOW_US + TRIAL_US).amount == 1000
    assert account.show(NOW_US + TRIAL_US).available == 0
    expire(account, now_us=NOW_US + TRIAL_US, ids=ids)
    assert account.balance == 0
    check_account(account)


def test_bought_credits_that_paid_are_bought_credits_again(ids):
    account, original = owing(50, ids=ids)
    bought = granted(account, 80, PAID, ids=ids)
    undo(account, original, ids=ids)
    assert (bought.remaining, len(account.lots)) == (80, 1)
    check_account(account)


@pytest.mark.parametrize("parts", [(1000,), (100,) * 10, (900, 100), (1, 999)])
def test_the_last_payer_gets_back_first_and_no_more_than_it_paid(ids, parts):
    """A trial paid 900, then a purchase 100, which was spent since: it has room for all, and is given what it paid."""
    account, original = owing(1000, ids=ids)
    trial, bought = (
        granted(account, 900, PROMOTIONAL, ids=ids, expire_time_us=LATER_US),
        granted(account, 1000, PAID, ids=ids),
    )
    deduct(account, 900, DeductionMode.REJECT, now_us=NOW_US, ids=ids)
    assert (trial.remaining, bought.remaining) == (0, 0)
    already = 0
    for part in parts:
        undo(account, original, part, already, ids=ids)
        already += part
        check_account(account)
    assert (trial.remaining, bought.remaining) == (900, 100)


def test_what_is_still_owed_comes_first(ids):
    account, original = owing(10, ids=ids)
    gift = granted(account, 4, PROMOTIONAL, ids=ids)
    assert account.debt == 6
    undo(account, original, 5, ids=ids)
    assert (account.debt, gift.remaining) == (1, 0)
    undo(account, original, 5, 5, ids=ids)
    assert (account.debt, gift.remaining) == (0, 4)
    check_account(account)


def test_credits_of_an_unknown_payer_are_promotional_and_end_after_a_month(ids, monkeypatch):
    monkeypatch.setattr("tests.domain.sales_model.recent_payments", lambda *_: [])
    account, original = owing(9, ids=ids)
    granted(account, 5, PAID, ids=ids)
    undo(account, original, ids=ids, terms=TERMS)
    (made,) = [each for each in account.lots if each.remaining]
    assert (account.debt, made.remaining, made.category, made.source_id) == (0, 5, PROMOTIONAL, "")
    assert made.expire_time_us == NOW_US + 30 * DAY_US
    check_account(account)


def test_what_has_no_room_ends_no_later_than_the_lot_that_paid_last(ids):
    """The trial is full again by other means."""
    account, original = owing(10, ids=ids)
    trial = granted(account, 10, PROMOTIONAL, ids=ids, expire_time_us=LATER_US)
    trial.remaining, account.balance = 6, 6
    undo(account, original, ids=ids, terms=TERMS)
    assert trial.remaining == 10
    (made,) = [each for each in account.lots if each is not trial]
    assert (made.remaining, made.expire_time_us) == (6, LATER_US)


def transaction(name, *entries, source_id="", kind=TransactionKind.GRANT):
    return Transaction(name, "acme", 1, "", kind, 0, 0, NOW_US, source_id, entries=[Entry(*entry) for entry in entries])


PAID_DEBT = [
    # history, newest first; wanted: found
    ([], 5, []),
    (
        [transaction("t2", ("grants", "lot_b", 9), ("lot_b", "debt", 4)), transaction("t1", ("lot_a", "debt", 3))],
        5,
        [("lot_b", 4), ("lot_a", 3)],
    ),
    ([transaction("t2", ("lot_b", "debt", 4)), transaction("t1", ("lot_a", "debt", 3))], 4, [("lot_b", 4)]),
    ([transaction("t2", ("lot_a", "debt", 1), ("lot_b", "debt", 2))], 9, [("lot_b", 2), ("lot_a", 1)]),
    ([transaction("t2", ("usage", "debt", 4)), transaction("t1", ("lot_a", "debt", 3))], 5, [("lot_a", 3)]),
    (
        [
            transaction("t3", ("lot_c", "debt", 1)),
            transaction("cause", ("debt", "usage", 9)),
            transaction("t1", ("lot_a", "debt", 9)),
        ],
        9,
        [("lot_c", 1)],
    ),
    (
        [transaction("t2", ("usage", "lot_a", 2), source_id="cause"), transaction("t1", ("lot_a", "debt", 3))],
        9,
        [("lot_a", 1)],
    ),
    (
        [transaction("t2", ("usage", "lot_a", 2), source_id="other"), transaction("t1", ("lot_a", "debt", 3))],
        9,
        [("lot_a", 3)],
    ),
    (
        [
            transaction("t2", ("usage", "lot_a", 5), ("lot_a", "lot_b", 5), source_id="cause"),
            transaction("t1", ("lot_b", "debt", 3)),
        ],
        9,
        [("lot_b", 3)],
    ),
]


@pytest.mark.parametrize(("history", "wanted", "found"), PAID_DEBT)
def test_who_paid_is_read_from_the_newest_on(history, wanted, found):
    assert recent_payments(history, "cause", wanted) == [Payment(*each) for each in found]


def test_history_is_read_no_further_than_needed():
    def endless():
        yield transaction("t2", ("lot_b", "debt", 4))
        raise AssertionError("the answer was known")

    assert recent_payments(endless(), "cause", 4) == [("lot_b", 4)]


@given(
    owed=st.integers(1, 60),
    payers=st.lists(
        st.tuples(st.integers(1, 30), st.sampled_from([PROMOTIONAL, PAID]), st.sampled_from([None, SOON_US, LATER_US])),
        max_size=5,
    ),
    parts=st.lists(st.integers(1, 20), max_size=6),
)
def test_when_all_is_undone_every_payer_is_as_it_was(owed, payers, parts):
    """Whatever the parts: credits never change their terms on the way through a debt."""
    numbers = CountingIds()
    account, original = owing(owed, ids=numbers)
    lots = [granted(account, amount, category, ids=numbers, expire_time_us=ends) for amount, category, ends in payers]
    already = 0
    for asked in [*parts, owed]:
        part = min(asked, owed - already)
        if part:
            undo(account, original, part, already, ids=numbers)
            already += part
            check_account(account)
    assert account.debt == 0
    assert [each.remaining for each in lots] == [amount for amount, _, _ in payers]
    assert len(account.lots) == len(lots)
    assert sum(entry.amount for t in account.transactions for entry in t.entries if entry.source == Place.USAGE) == owed
