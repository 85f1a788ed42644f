"""Credits that arrive, run out or are corrected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.amounts import AMOUNT_MAX, BALANCE_MAX
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import adjust, expire, grant, new_lot
from billing_service.domain.refusals import Reason, Refusal
from tests.domain.ledger_model import (
    LATER_US,
    NOW_US,
    PAID,
    PAST_US,
    PLAN,
    PROMOTIONAL,
    SOON_US,
    account_with,
    check_account,
    granted,
    lot,
    snapshot,
)
from tests.support.doubles import CountingIds


def give(account, amount, category=PAID, *, ids, **about):
    made = new_lot(amount, category, now_us=NOW_US, ids=ids, source_id="pur_1", **about)
    return made, grant(
        account, made, Place.SALES, TransactionKind.PURCHASE, now_us=NOW_US, ids=ids, caller="web", description="a pack"
    )


def correct(account, amount, *, ids):
    return adjust(account, amount, now_us=NOW_US, ids=ids, caller="ops", description="why")


@pytest.mark.parametrize("debt", [0, 1, AMOUNT_MAX])
def test_an_account_holds_no_more_than_its_limit(ids, debt):
    """What it owes makes no room: the lots alone count."""
    account = account_with(lot("lot_1", BALANCE_MAX - 9, expires_us=NOW_US), debt=debt)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        give(account, 10, ids=ids)
    assert refused.value.reason is Reason.BALANCE_LIMIT_REACHED
    assert snapshot(account) == before
    give(account, 9, ids=ids)
    assert sum(each.remaining for each in account.lots) + min(debt, 9) == BALANCE_MAX


def test_a_grant_is_a_lot_and_a_transaction(ids):
    account = account_with()
    made, transaction = give(account, 7, PLAN, ids=ids, priority=3, effective_time_us=SOON_US, expire_time_us=LATER_US)
    assert (made.amount, made.remaining, made.category, made.priority) == (7, 7, PLAN, 3)
    assert (made.create_time_us, made.effective_time_us, made.expire_time_us, made.source_id) == (
        NOW_US,
        SOON_US,
        LATER_US,
        "pur_1",
    )
    assert account.new_lots == [made] == account.lots
    assert (transaction.kind, transaction.amount, transaction.balance_after, transaction.version) == (
        TransactionKind.PURCHASE,
        7,
        7,
        1,
    )
    assert (transaction.source_id, transaction.caller, transaction.description) == ("pur_1", "web", "a pack")
    assert transaction.entries == [(Place.SALES, made.lot_id, 7)]
    check_account(account)


@pytest.mark.parametrize(("debt", "amount", "left", "debt_after"), [(3, 10, 7, 0), (10, 10, 0, 0), (12, 10, 0, 2)])
def test_a_grant_settles_debt_first(ids, debt, amount, left, debt_after):
    account = account_with(debt=debt)
    made, transaction = give(account, amount, ids=ids)
    assert (made.remaining, account.debt, account.balance) == (left, debt_after, amount - debt)
    assert transaction.amount == amount
    assert transaction.entries == [(Place.SALES, made.lot_id, amount), (made.lot_id, Place.DEBT, amount - left)]


def test_debt_is_settled_in_burn_down_order(ids):
    """From the free credits that were not spendable yet when the debt arose, not from what was just bought."""
    free = lot("lot_free", 5, PROMOTIONAL, effective_us=NOW_US)
    account = account_with(free, debt=4)
    made, _ = give(account, 10, ids=ids)
    assert (free.remaining, made.remaining, account.debt) == (1, 10, 0)


def test_credits_to_come_settle_nothing_yet(ids):
    account = account_with(debt=4)
    made, _ = give(account, 10, ids=ids, effective_time_us=SOON_US)
    assert (made.remaining, account.debt) == (10, 4)
    assert account.show(NOW_US).available == 0
    assert account.show(SOON_US).available == 6


@pytest.mark.parametrize("effective_us", [None, PAST_US, NOW_US])
def test_credits_given_now_are_there_also_by_a_clock_that_is_behind(ids, effective_us):
    account = account_with()
    give(account, 10, ids=ids, effective_time_us=effective_us)
    assert account.show(NOW_US - 86_400_000_000).available == 10


SHORT = [
    ([], 0, -1),
    ([lot("lot_1", 5)], 0, -6),
    ([lot("lot_1", 5)], 2, -4),
    ([lot("lot_1", 5, expires_us=NOW_US)], 0, -1),
]


@pytest.mark.parametrize(("lots", "debt", "amount"), SHORT)
def test_a_correction_takes_only_what_is_available(ids, lots, debt, amount):
    account = account_with(*lots, debt=debt, overdraft_limit=100)
    before = snapshot(account)
    with pytest.raises(Refusal) as refused:
        correct(account, amount, ids=ids)
    assert refused.value.reason is Reason.INSUFFICIENT_CREDITS
    assert snapshot(account) == before


def test_a_correction_upwards_has_a_limit(ids):
    account = account_with(lot("lot_1", BALANCE_MAX))
    with pytest.raises(Refusal) as refused:
        correct(account, 1, ids=ids)
    assert refused.value.reason is Reason.BALANCE_LIMIT_REACHED


def test_corrections(ids):
    account = account_with()
    paid = granted(account, 5, PAID, ids=ids)
    up = correct(account, 3, ids=ids)
    assert (up.kind, up.amount, up.caller, up.description) == (TransactionKind.ADJUSTMENT, 3, "ops", "why")
    assert account.lots[0].category is PROMOTIONAL
    down = correct(account, -4, ids=ids)
    assert (down.kind, down.amount, paid.remaining) == (TransactionKind.ADJUSTMENT, -4, 4)
    assert [entry.destination for entry in down.entries] == [Place.ADJUSTMENTS] * 2
    check_account(account)


def test_a_correction_downwards_settles_debt_before(ids):
    account = account_with(lot("lot_1", 10), debt=4)
    down = correct(account, -6, ids=ids)
    assert down.entries == [("lot_1", Place.DEBT, 4), ("lot_1", Place.ADJUSTMENTS, 6)]
    assert (account.debt, account.balance) == (0, 0)


def test_nothing_ran_out(ids):
    account = account_with(lot("lot_1", 5), lot("lot_2", 5, expires_us=NOW_US + 1), lot("lot_3", 0, expires_us=NOW_US))
    before = snapshot(account)
    assert expire(account, now_us=NOW_US, ids=ids) == []
    assert snapshot(account) == before


def test_what_ran_out_is_booked_once(ids):
    account = account_with()
    ended = granted(account, 5, PAID, ids=ids, expire_time_us=SOON_US)
    never = granted(account, 5, PROMOTIONAL, ids=ids, effective_time_us=LATER_US + 1, expire_time_us=LATER_US)
    beside = granted(account, 7, PAID, ids=ids, expire_time_us=SOON_US)
    kept = granted(account, 5, PAID, ids=ids)
    booked = expire(account, now_us=LATER_US, ids=ids)
    assert [(each.kind, each.amount, each.balance_after) for each in booked] == [
        (TransactionKind.EXPIRY, -12, 10),
        (TransactionKind.EXPIRY, -5, 5),
    ]
    assert [each.effective_time_us for each in booked] == [SOON_US, 0], "as of when they ended; 0: when it was booked"
    assert {entry.destination for each in booked for entry in each.entries} == {Place.EXPIRED}
    assert [lot.remaining for lot in (ended, never, beside, kept)] == [0, 0, 0, 5]
    assert expire(account, now_us=LATER_US, ids=ids) == []
    check_account(account)


@given(amounts=st.lists(st.integers(1, AMOUNT_MAX), max_size=6), now=st.sampled_from([NOW_US, SOON_US, LATER_US]))
def test_what_is_available_does_not_depend_on_the_sweep(amounts, now):
    """Expired credits are gone for spenders before anything is booked, and nothing else is."""
    numbers = CountingIds()
    account = account_with()
    for number, amount in enumerate(amounts):
        granted(account, amount, PAID, ids=numbers, expire_time_us=[None, SOON_US, LATER_US][number % 3])
    before = account.show(now)
    expire(account, now_us=now, ids=numbers)
    after = account.show(now)
    assert after[:-1] == before[:-1]
    assert account.balance == after.available
    check_account(account)
