"""Verification proves corrections: each is what is stored of it, has a price, and gives back no more than was taken."""

from dataclasses import replace

import pytest

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.spending.deductions import DeductionMode, deduct
from billing_service.domain.spending.price_records import encode_asked, encode_price
from billing_service.integrity.corrections_check import CorrectionsCheck
from tests.domain.test_price_records import PLAIN, with_usage
from tests.support.doubles import START_US, CountingIds

PRICED = with_usage(PLAIN)
RECORD = encode_price(PRICED)
CARD = PRICED.price.rate_card_version


def corrected(given_back, record=RECORD, times=1):
    """A deduction of 100 and its corrections, the newest first."""
    account, ids = Account("a"), CountingIds()
    lot = new_lot(1_000, Category.PAID, now_us=START_US, ids=ids)
    grant(account, lot, Place.SALES, TransactionKind.GRANT, now_us=START_US, ids=ids)
    deduct(account, 100, DeductionMode.REJECT, now_us=START_US, ids=ids)
    deduction = account.transactions[-1]
    for _ in range(times):
        posting = Posting(account, START_US)
        posting.into_lot(lot, Place.USAGE, given_back)
        posting.close(ids, TransactionKind.CORRECTION, source_id=deduction.transaction_id, price_record=record)
    return deduction.transaction_id, account.transactions[::-1]


def wrong(transactions, stored):
    """Subjects without the deduction's name."""
    check = CorrectionsCheck()
    for transaction in transactions:
        check.follow(transaction)
    return [subject.partition(" ")[2] for subject, expected, found in check.compared(stored) if expected != found]


def test_what_is_stored_of_corrections_is_proven():
    deduction_id, history = corrected(30)
    by_card = f"{deduction_id} corrected by {CARD}"
    assert wrong(history, {(deduction_id, CARD): -30}) == []
    assert wrong(history, {(deduction_id, CARD): -30, (deduction_id, "other"): 0}) == []
    for stored in ({}, {(deduction_id, CARD): -31}):
        assert wrong(history, stored) == [by_card]
    assert wrong(history, {(deduction_id, CARD): -30, (deduction_id, "x"): 5}) == [f"{deduction_id} corrected by x"]


def test_no_card_corrects_a_charge_twice_and_no_more_comes_back_than_was_taken():
    deduction_id, history = corrected(30, times=2)
    assert wrong(history, {(deduction_id, CARD): -30}) == [f"{deduction_id} corrected by {CARD}"]
    deduction_id, history = corrected(60, times=2)
    assert f"{deduction_id} left" in wrong(history, {(deduction_id, CARD): -60})


@pytest.mark.parametrize("record", [b"", b"free", encode_asked(8)])
def test_a_correction_has_a_price(record):
    _, history = corrected(30, record)
    assert wrong(history, {}) == ["price record"]


def test_a_correction_of_nothing_is_found():
    deduction_id, (correction, *_) = corrected(30)
    other = replace(correction, source_id="txn_none")
    assert wrong([other], {("txn_none", CARD): -30}) == ["txn_none"]
    assert deduction_id
