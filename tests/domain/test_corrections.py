"""Corrections of charges: where credits come back to whose lot is gone, and that order and repetition end alike."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import expire, grant, new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.spending.corrections import CorrectionTerms, correct
from billing_service.domain.spending.deductions import STANDARD_TERMS, DeductionMode, deduct
from billing_service.domain.spending.rerating import standing_of_changed, target_of
from billing_service.domain.spending.reversals import DeductionToReverse, reverse_deduction
from billing_service.domain.spending.standing import StandingCharge
from tests.support.doubles import DAY_US, START_US, CountingIds

TERMS = CorrectionTerms("admin", "a wrong price", STANDARD_TERMS)


class World:
    """An account with lots, one deduction, and what is done to it."""

    def __init__(self, *lots, charge=100, mode=DeductionMode.REJECT):
        """`lots`: amount, category, days until they expire."""
        self.account, self.ids, self.now_us = Account("a"), CountingIds(), START_US
        self.lots = [self.give(*lot) for lot in lots or [(1_000,)]]
        deduct(self.account, charge, mode, now_us=self.now_us, ids=self.ids)
        self.deduction = self.account.transactions[-1]
        self.amount = charge
        self.changes, self.reversed = [], 0

    def give(self, amount, category=Category.PAID, days=None):
        lot = new_lot(
            amount,
            category,
            now_us=self.now_us,
            ids=self.ids,
            expire_time_us=None if days is None else self.now_us + days * DAY_US,
        )
        grant(self.account, lot, Place.SALES, TransactionKind.GRANT, now_us=self.now_us, ids=self.ids)
        return lot

    @property
    def charge(self):
        """As commands read it: reversals alone by their sum, both kinds by their transactions."""
        corrected = any(each.kind is TransactionKind.CORRECTION for each in self.changes)
        return StandingCharge(self.deduction, self.reversed, self.changes if corrected else ())

    def rerate(self, price):
        """What was moved."""
        charge = self.charge
        target = target_of(standing_of_changed(charge, self.amount, decided=False), price)
        about = {"deduction_id": self.deduction.transaction_id, "price_record": b"", "now_us": self.now_us}
        done = correct(self.account, charge, target, (), TERMS, ids=self.ids, **about)
        if done.transaction:
            self.changes.append(done.transaction)
        return done

    def reverse(self, amount=None):
        asked = DeductionToReverse(self.deduction, self.reversed, self.changes)
        done = reverse_deduction(self.account, asked, amount, now_us=self.now_us, ids=self.ids)
        self.changes.append(done.transaction)
        self.reversed += done.amount
        return done.amount


def left(lots):
    return [lot.remaining for lot in lots]


def test_into_a_lot_that_ran_out_comes_nothing_but_a_promotional_lot_in_its_stead():
    world = World((60, Category.PROMOTIONAL, 1), (1_000, Category.PAID, None))
    assert left(world.lots) == [0, 960]
    world.now_us += 2 * DAY_US
    world.rerate(20)
    *_, instead = world.account.new_lots
    assert left(world.lots) == [0, 1_000]
    assert (instead.amount, instead.category, instead.expire_time_us) == (
        *(40, Category.PROMOTIONAL),
        world.now_us + STANDARD_TERMS.returned_lifetime_us,
    )
    assert expire(world.account, now_us=world.now_us, ids=world.ids) == []
    world.now_us += 31 * DAY_US
    assert [each.amount for each in expire(world.account, now_us=world.now_us, ids=world.ids)] == [-40]


def test_a_lot_that_was_taken_back_passes_on_what_a_correction_gives_back():
    world = World((100, Category.PROMOTIONAL, None))
    (bonus,) = world.lots
    bonus.ended_to, bonus.expire_time_us = Place.BONUSES, world.now_us
    done = world.rerate(30)
    assert (done.moved, done.transaction.amount, bonus.remaining) == (-70, 0, 0)
    assert world.account.has_passed_on


def test_debt_comes_back_first_and_then_the_lot_drawn_last():
    world = World((60, Category.PROMOTIONAL, None), (30, Category.PAID, None), mode=DeductionMode.ALLOW_DEBT)
    assert (left(world.lots), world.account.debt) == ([0, 0], 10)
    world.rerate(75)
    assert (left(world.lots), world.account.debt) == ([0, 15], 0)
    world.rerate(40)
    assert left(world.lots) == [20, 30]


def test_more_is_taken_from_what_is_available_and_comes_back_from_there():
    world = World((100, Category.PROMOTIONAL, None), charge=100)
    later = world.give(50)
    done = world.rerate(170)
    assert (done.moved, done.shortfall, later.remaining, world.account.debt) == (50, 20, 0, 0)
    assert world.reverse(60) == 60
    assert (later.remaining, left(world.lots)) == (50, [10])


@pytest.mark.parametrize("price", [0, 1, 99])
def test_of_what_was_undone_whole_nothing_moves(price):
    world = World()
    world.reverse()
    assert world.rerate(price).transaction is None
    assert world.account.balance == 1_000


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("rerate"), st.integers(0, 300)),
        st.tuples(st.just("reverse"), st.integers(1, 100)),
        st.tuples(st.just("reverse all"), st.just(0)),
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(steps=STEPS, price=st.integers(0, 300), charge=st.integers(1, 200), has=st.integers(1, 1_000))
def test_whatever_was_done_before_the_last_price_is_what_counts(steps, price, charge, has):
    """Reversals undo shares of the usage; a price is for the share that is left. No value is used without its price,
    and nothing comes back that was not taken."""
    world = World((max(has, charge),), charge=charge)
    begun = world.account.balance + charge
    share = Fraction(1)
    for what, value in steps:
        net = world.charge.net
        if what == "rerate":
            world.rerate(value)
        elif net:
            undone = world.reverse(None if what == "reverse all" else min(value, net))
            share *= Fraction(net - undone, net)
        net = world.charge.net
        assert world.charge.share == share
        assert (net >= 0, world.account.balance, world.account.debt) == (True, begun - net, 0)
    done = world.rerate(price)
    assert world.charge.net + done.shortfall == ceil(price * share)
    again = world.rerate(price)
    assert (again.moved, again.shortfall) == (0, done.shortfall)
    assert sum(lot.remaining for lot in world.account.lots) == begun - world.charge.net


@settings(max_examples=200)
@given(
    prices=st.lists(st.integers(1, 5).map(lambda n: n * 360), min_size=1, max_size=3),
    shares=st.lists(st.sampled_from([Fraction(1, 2), Fraction(1, 3), Fraction(1)]), max_size=2),
    order=st.randoms(use_true_random=False),
)
def test_prices_and_shares_in_any_order_end_alike(prices, shares, order):
    """Each share is undone of what is left. All amounts divide, so that nothing is rounded."""
    ends = set()
    for _ in range(3):
        world = World((10_000,), charge=360)
        steps = [*prices, *shares]
        order.shuffle(steps)
        for step in steps:
            if isinstance(step, Fraction):
                part = world.charge.net * step
                if part:
                    assert part.denominator == 1
                    world.reverse(int(part))
            else:
                world.rerate(step)
        world.rerate(prices[0])
        ends.add((world.charge.net, world.account.balance, world.account.debt))
    assert len(ends) == 1
