"""What holds and captures do in the corners: debt that waits for its payment, the order of what comes back, a refusal
that leaves no choice."""

import pytest

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.captures import OverHold, capture_hold
from billing_service.domain.spending.holds import Author, HoldMode, HoldTerms, hold_credits, release_hold
from billing_service.domain.spending.windows import UTC_WINDOWS
from tests.support.doubles import CountingIds

LASTS_US = 1_000
AUTHOR = Author("tests")


@pytest.fixture
def about():
    return {"now_us": 10, "ids": CountingIds()}


def account_with(about, *amounts, effective_us=0):
    """A lot for each amount, drawn in this order."""
    account = Account("a")
    for number, amount in enumerate(amounts):
        lot = new_lot(amount, Category.PROMOTIONAL, now_us=0, ids=about["ids"])
        lot.effective_time_us, lot.priority = effective_us, number
        grant(account, lot, Place.GRANTS, TransactionKind.GRANT, now_us=0, ids=about["ids"])
    return account


def hold(account, about, amount):
    asked = HoldTerms(amount, HoldMode.REJECT, 1, LASTS_US, 0)
    return hold_credits(account, asked, AUTHOR, windows=UTC_WINDOWS, **about).hold


def test_a_hold_takes_nothing_of_what_pays_a_debt(about):
    account = account_with(about, 10, effective_us=5)
    owing = Posting(account, 0)
    owing.borrow(Place.USAGE, 4)
    owing.close(about["ids"], TransactionKind.DEDUCTION)
    with pytest.raises(Refusal) as refused:
        hold(account, about, 7)
    assert (refused.value.reason, refused.value.metadata["available_microcredits"]) == (
        Reason.INSUFFICIENT_CREDITS,
        "6",
    )
    hold(account, about, 6)
    assert (account.debt, account.held, account.spendable(10)) == (0, 6, 0)


def test_what_is_held_comes_back_in_the_reverse_of_the_order_in_which_it_was_drawn(about):
    account = account_with(about, 3, 5)
    held = hold(account, about, 8)
    drawn = [entry.source for entry in account.transactions[-1].entries]
    release_hold(account, held, AUTHOR, **about)
    assert [entry.destination for entry in account.transactions[-1].entries] == drawn[::-1]


def test_a_capture_that_refuses_more_than_its_hold_takes_nothing_beside_it(about):
    account = account_with(about, 100)
    held = hold(account, about, 10)
    with pytest.raises(Refusal) as refused:
        capture_hold(account, held, 11, OverHold.REJECT, AUTHOR, final=True, **about)
    assert refused.value.metadata["available_microcredits"] == "10"
    assert (account.held, account.spendable(10)) == (10, 90)


def test_a_new_hold_has_the_next_end_written_though_an_earlier_one_is_remembered(about):
    # Another process may have noted a later end since, and only this one knows of the new hold.
    account = account_with(about, 10)
    account.holds_end_us = 1
    account.forget_decided()
    hold(account, about, 3)
    assert (account.holds_end_us, account.writes_holds_end) == (1, True)
