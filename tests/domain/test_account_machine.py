"""Any sequence of operations on one account keeps every invariant, and a refusal changes nothing."""

from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.granting import adjust, expire
from billing_service.domain.refusals import Refusal
from billing_service.domain.sales.clawbacks import settle_set_aside
from billing_service.domain.spending.deductions import DeductionMode, deduct
from tests.domain.ledger_model import categories, check_account, check_shown, granted, snapshot
from tests.domain.sales_model import Bonus, Sale, undo
from tests.support.doubles import START_US, CountingIds

AMOUNTS = st.sampled_from([1, 7, 10, 10, 50])
"""Few, so that lots, debts and targets meet exactly."""


class MoneyMachine(RuleBasedStateMachine):
    """Purchases that go back and come back while what they bought is spent and given back."""

    def __init__(self):
        super().__init__()
        self.account = Account("acme")
        self.ids = CountingIds()
        self.now_us = START_US
        self.reversed = {}
        """Deductions, and how much of each was given back."""
        self.purchases = []
        self.bonuses = []

    @contextmanager
    def refusing_cleanly(self):
        before = snapshot(self.account)
        try:
            yield
        except Refusal:
            assert snapshot(self.account) == before

    @property
    def about(self):
        return {"now_us": self.now_us, "ids": self.ids}

    @initialize(limit=st.sampled_from([0, 0, 30]))
    def open(self, limit):
        self.account.overdraft_limit = limit

    @rule(amount=AMOUNTS, lasts=st.none() | st.integers(1, 9))
    def buy(self, amount, lasts):
        expires = None if lasts is None else self.now_us + lasts
        source_id = f"pur_{len(self.purchases)}"
        self.purchases.append(
            Sale(self.account, amount, ids=self.ids, now_us=self.now_us, source_id=source_id, expire_time_us=expires)
        )

    @rule(amount=AMOUNTS, mode=st.sampled_from(DeductionMode))
    def spend(self, amount, mode):
        available = self.account.show(self.now_us).available
        with self.refusing_cleanly():
            deducted = deduct(self.account, amount, mode, **self.about)
            self.reversed[deducted.transaction_id] = 0
            assert sum(draw.amount for draw in deducted.draws) == min(deducted.amount, available)

    @precondition(lambda self: self.reversed)
    @rule(data=st.data(), amount=st.none() | AMOUNTS)
    def reverse(self, data, amount):
        deduction_id = data.draw(st.sampled_from(sorted(self.reversed)))
        original = next(each for each in self.account.transactions if each.transaction_id == deduction_id)
        with self.refusing_cleanly():
            reversal = undo(self.account, original, amount, self.reversed[deduction_id], **self.about)
            self.reversed[deduction_id] += reversal.amount
            assert self.reversed[deduction_id] <= -original.amount
            for bonus in self.bonuses:
                bonus.note(reversal.transaction, now_us=self.now_us)

    @precondition(lambda self: self.purchases)
    @rule(data=st.data(), set_aside=st.booleans())
    def follow_money(self, data, set_aside):
        sale = data.draw(st.sampled_from(self.purchases))
        about = {"now_us": self.now_us} | ({"set_aside": True} if set_aside else {})
        target = data.draw(st.sampled_from([0, sale.lot.amount // 2, sale.lot.amount]))
        sale.follow(target, **(about if target > sale.taken.total else {"now_us": self.now_us}))
        assert sale.taken.debt <= sale.lot.amount - sale.lot.expired + sale.taken.expired, (
            "what expired was never spent"
        )

    @precondition(lambda self: self.account.set_aside)
    @rule(data=st.data())
    def settle(self, data):
        settle_set_aside(
            self.account, data.draw(st.integers(1, self.account.set_aside)), source_id="ref_1", **self.about
        )

    @invariant()
    def everything_adds_up(self):
        check_account(self.account)
        check_shown(self.account, self.now_us)


class AccountMachine(MoneyMachine):
    """All that can happen to an account, as commands run it."""

    @rule(
        amount=AMOUNTS,
        category=categories,
        priority=st.sampled_from([0, 50, 100]),
        begins=st.integers(-3, 5),
        lasts=st.none() | st.integers(1, 9),
    )
    def grant(self, amount, category, priority, begins, lasts):
        effective = self.now_us + max(begins, 0)
        expires = None if lasts is None else effective + lasts
        granted(
            self.account,
            amount,
            category,
            priority=priority,
            effective_time_us=effective,
            expire_time_us=expires,
            **self.about,
        )

    @rule(amount=AMOUNTS, lasts=st.none() | st.integers(1, 9), begins=st.integers(0, 5), data=st.data())
    def reward(self, amount, lasts, begins, data):
        sale = data.draw(st.sampled_from([None, *self.purchases]))
        about = {
            "effective_time_us": self.now_us + begins,
            "expire_time_us": None if lasts is None else self.now_us + begins + lasts,
        }
        self.bonuses.append(Bonus(self.account, amount, sale, ids=self.ids, now_us=self.now_us, **about))

    @precondition(lambda self: self.bonuses)
    @rule(data=st.data())
    def follow_bonus(self, data):
        bonus = data.draw(st.sampled_from(self.bonuses))
        (bonus.rise if bonus.fallen else bonus.fall)(now_us=self.now_us)

    @rule(amount=st.integers(-40, 40).filter(bool))
    def correct(self, amount):
        with self.refusing_cleanly():
            adjust(self.account, amount, caller="ops", description="why", **self.about)

    @rule(microseconds=st.integers(-3, 8))
    def time_passes(self, microseconds):
        self.now_us += microseconds

    @rule()
    def sweep(self):
        available = self.account.show(self.now_us).available
        expire(self.account, **self.about)
        assert self.account.show(self.now_us).available == available

    @rule(frozen=st.sampled_from([False, False, False, True]))
    def freeze(self, frozen):
        self.account.frozen = frozen


SETTINGS = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestMoneyMachine = MoneyMachine.TestCase
TestMoneyMachine.settings = SETTINGS
TestAccountMachine = AccountMachine.TestCase
TestAccountMachine.settings = SETTINGS
