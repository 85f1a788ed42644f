"""Bonuses of a referral: taken back whole from the buyer, as far as left from the referrer; restored by what was really
taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import expire
from billing_service.domain.promotions.bonuses import BonusTaken
from billing_service.domain.spending.deductions import DeductionMode, deduct
from tests.domain.ledger_model import (
    LATER_US,
    NOW_US,
    PAID,
    PROMOTIONAL,
    SOON_US,
    account_with,
    check_account,
    check_shown,
    granted,
)
from tests.domain.sales_model import LIFETIME_US, Bonus, Sale, undo
from tests.support.doubles import CountingIds


def spend(account, amount, *, ids, now_us=NOW_US):
    deduct(account, amount, DeductionMode.ALLOW_DEBT, now_us=now_us, ids=ids)
    return account.transactions[-1]


def buyer(ids, *, bought=1000, bonus=1000, **about):
    """One who bought, and got a bonus for it."""
    account = account_with()
    sale = Sale(account, bought, ids=ids)
    return account, sale, Bonus(account, bonus, sale, ids=ids, **about)


TAKEN = [
    # bought, spent, gone of the purchase's credits: what is taken of the bonus, what is left of purchase and bonus,
    # debt
    (1000, 0, 0, (1000, 0, 0), 1000, 0),
    (1000, 400, 0, (600, 400, 0), 600, 0),
    (1000, 1000, 0, (0, 1000, 0), 0, 0),
    (1000, 1000, 500, (0, 500, 500), 0, 500),
    (1000, 1000, 1000, (0, 0, 1000), 0, 1000),
    (1000, 1600, 0, (0, 400, 600), 0, 600),
    (1000, 2000, 0, (0, 0, 1000), 0, 1000),
    (1000, 2000, 1000, (0, 0, 1000), 0, 2000),
    (1000, 2500, 0, (0, 0, 1000), 0, 1500),
]


@pytest.mark.parametrize(("bought", "spent", "gone", "taken", "left", "debt"), TAKEN)
def test_a_buyer_owes_its_bonus_whole(ids, *, bought, spent, gone, taken, left, debt):
    account, sale, bonus = buyer(ids, bought=bought)
    if spent:
        spend(account, spent, ids=ids)
    if gone:
        sale.take(gone)
    bonus.fall()
    assert bonus.taken == BonusTaken(*taken)
    assert (sale.lot.remaining, bonus.lot.remaining, account.debt) == (left, 0, debt)
    transaction = account.transactions[-1]
    assert (transaction.kind, transaction.source_id, transaction.amount) == (
        TransactionKind.BONUS_REVERSAL,
        "pur_1",
        -1000,
    )
    check_account(account)


@pytest.mark.parametrize("spent", [0, 300, 1000])
def test_a_referrer_gives_back_what_is_left(ids, spent):
    account = account_with()
    bonus = Bonus(account, 1000, ids=ids)
    other = granted(account, 500, PAID, ids=ids)
    if spent:
        spend(account, spent, ids=ids)
    bonus.fall()
    assert (bonus.taken, bonus.lot.remaining, other.remaining, account.debt) == (
        BonusTaken(lot=1000 - spent),
        0,
        500,
        0,
    )
    transaction = account.transactions[-1]
    assert (transaction.kind, transaction.amount, bool(transaction.entries)) == (
        TransactionKind.BONUS_REVERSAL,
        spent - 1000,
        spent < 1000,
    )
    check_account(account)


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("side", ["buyer", "referrer"])
def test_what_a_bonus_lost_to_its_expiry_counts_as_given_back(ids, *, swept, side):
    account, sale, bonus = buyer(ids, expire_time_us=SOON_US)
    bonus.sale = sale if side == "buyer" else None
    spend(account, 300, ids=ids)
    if swept:
        expire(account, now_us=LATER_US, ids=ids)
    bonus.fall(now_us=LATER_US)
    assert bonus.taken == (BonusTaken(purchase=300) if side == "buyer" else BonusTaken())
    assert bonus.lot.expired == 700
    check_account(account)
    bonus.rise(now_us=LATER_US)
    assert (sale.lot.remaining, bonus.lot.remaining, account.debt) == (1000, 0, 0)
    check_account(account)


def test_an_ended_lot_keeps_nothing_that_comes_back(ids):
    """1,000 parked outside of the lot, the bonus taken back, the deduction undone: nothing is there."""
    account = account_with()
    bonus = Bonus(account, 1000, ids=ids)
    spending = spend(account, 1000, ids=ids)
    bonus.fall()
    reversal = undo(account, spending, ids=ids)
    assert (reversal.amount, reversal.transaction.amount) == (1000, 0)
    assert reversal.transaction.entries == [
        (Place.USAGE, bonus.lot.lot_id, 1000),
        (bonus.lot.lot_id, Place.BONUSES, 1000),
    ]
    assert check_shown(account, NOW_US).available == 0
    assert bonus.lot.expire_time_us == NOW_US
    check_account(account)


@pytest.mark.parametrize("ends_us", [None, NOW_US - 1, NOW_US, LATER_US])
def test_an_expiry_only_ever_moves_to_now(ids, ends_us):
    account = account_with()
    bonus = Bonus(account, 10, ids=ids, expire_time_us=ends_us)
    bonus.fall()
    assert bonus.lot.expire_time_us == (NOW_US - 1 if ends_us == NOW_US - 1 else NOW_US)
    assert bonus.lot.ended_to == Place.BONUSES


@pytest.mark.parametrize("due_us", [0, NOW_US, LATER_US])
@pytest.mark.parametrize("spent", [0, 300, 1000, 1700, 2000, 2600])
def test_there_and_back_is_where_it_began(ids, *, spent, due_us):
    """The new lot is spendable when the old one would have been."""
    account, sale, bonus = buyer(ids)
    if spent:
        spend(account, spent, ids=ids)
    before = (account.balance, account.debt, sale.lot.remaining, bonus.lot.remaining)
    old = bonus.lot
    for _ in range(3):
        bonus.fall()
        check_account(account)
        bonus.rise(due_us=due_us)
        check_account(account)
        assert (account.balance, account.debt, sale.lot.remaining, bonus.lot.remaining) == before
        assert (bonus.lot.effective_time_us, bonus.lot.expire_time_us) == (LATER_US if due_us == LATER_US else 0, None)
    assert old.remaining == 0
    assert old.ended_to.startswith("lot_")


def test_what_comes_back_to_an_old_lot_goes_to_the_new_one(ids):
    account, _, bonus = buyer(ids)
    first, second = spend(account, 300, ids=ids), spend(account, 300, ids=ids)
    for _ in range(2):
        bonus.fall()
        bonus.rise()
    assert bonus.lot.remaining == 400
    undo(account, first, ids=ids)
    assert bonus.lot.remaining == 700
    bonus.fall()
    reversal = undo(account, second, ids=ids)
    assert reversal.transaction.amount == 0
    check_account(account)


@pytest.mark.parametrize("undone", [0, 100, 600, 1000])
@pytest.mark.parametrize("gone", [0, 500, 1000])
def test_a_deduction_undone_before_or_after_the_fall_ends_alike(undone, gone):
    """Else the buyer would pay for a bonus that it did not use after all."""

    def run(*, before):
        numbers = CountingIds()
        account, sale, bonus = buyer(numbers)
        spending = spend(account, 1000, ids=numbers)
        if undone and before:
            undo(account, spending, undone, ids=numbers)
        if gone:
            sale.take(gone)
        bonus.fall()
        if undone and not before:
            bonus.note(undo(account, spending, undone, ids=numbers).transaction)
        check_account(account)
        return account.balance, account.debt, sale.lot.remaining, sum(bonus.taken)

    assert run(before=False) == run(before=True)


def test_settled_debt_of_the_bonus_goes_back_to_who_paid(ids):
    account, sale, bonus = buyer(ids)
    spend(account, 2000, ids=ids)
    bonus.fall()
    assert account.debt == 1000
    bought = granted(account, 1500, PAID, ids=ids)
    assert (account.debt, bought.remaining) == (0, 500)
    bonus.rise()
    assert (bought.remaining, bonus.lot.remaining, sale.lot.remaining, account.debt) == (1500, 0, 0, 0)
    check_account(account)


@pytest.mark.parametrize("how", ["restored", "undone"])
def test_settled_debt_of_an_unknown_payer(ids, monkeypatch, how):
    """It is a lot of its own, which ends: also where the bonus is restored, whose lot has no end."""
    account, _, bonus = buyer(ids)
    spending = spend(account, 1000, ids=ids)
    spend(account, 1000, ids=ids)
    bonus.fall()
    granted(account, 1000, PROMOTIONAL, ids=ids)
    monkeypatch.setattr("tests.domain.sales_model.recent_payments", lambda *_: [])
    if how == "restored":
        bonus.rise()
        assert (bonus.lot.remaining, bonus.lot.expire_time_us) == (0, None)
    else:
        bonus.note(undo(account, spending, ids=ids).transaction)
    (made,) = [each for each in account.lots if each.remaining]
    assert (made.remaining, made.category) == (1000, PROMOTIONAL)
    assert made.expire_time_us == NOW_US + LIFETIME_US
    check_account(account)


class Story:
    """What happens to one account; `moving`: whether its referral falls and rises in between."""

    def __init__(self, *, moving, referrer):
        self.ids, self.moving = CountingIds(), moving
        self.account = account_with()
        self.sale = Sale(self.account, 20, ids=self.ids)
        self.bonus = Bonus(self.account, 10, None if referrer else self.sale, ids=self.ids)
        self.spendings = []
        """[deduction, how much of it is left to undo]."""

    def spend(self, amount):
        self.spendings.append([spend(self.account, amount, ids=self.ids), amount])

    def undo(self, amount):
        if self.spendings:
            chosen = self.spendings[amount % len(self.spendings)]
            spending, left = chosen
            part = min(left, amount)
            if part:
                back = undo(self.account, spending, part, -spending.amount - left, ids=self.ids)
                chosen[1] -= part
                self.bonus.note(back.transaction)

    def move(self, _amount):
        if self.moving:
            (self.bonus.rise if self.bonus.fallen else self.bonus.fall)()

    def take(self, amount):
        self.sale.follow(min(20, self.sale.taken.total + amount))

    def give(self, amount):
        self.sale.follow(max(0, self.sale.taken.total - amount))

    def grant(self, amount):
        granted(self.account, amount, PAID, ids=self.ids)

    def told(self, steps):
        """What the account holds and owes in the end, the referral standing."""
        for kind, amount in steps:
            getattr(self, kind)(amount)
            check_account(self.account)
        if self.bonus.fallen:
            self.bonus.rise()
        check_account(self.account)
        return self.account.balance, self.account.debt, self.account.show(NOW_US).available


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["spend", "undo", "move", "take", "give", "grant"]), st.integers(1, 12)), max_size=14
    ),
    referrer=st.booleans(),
)
def test_in_the_end_only_what_stands_counts(steps, referrer):
    """Falls and rises in between change nothing: the account ends as if there had been none."""
    assert Story(moving=True, referrer=referrer).told(steps) == Story(moving=False, referrer=referrer).told(steps)
