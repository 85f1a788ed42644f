"""A low balance is told once for each time that it falls below the threshold, whatever made it fall."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant

from billing_service.domain.ledger.events import EventKind
from billing_service.domain.ledger.thresholds import tell_crossings
from billing_service.domain.spending.deductions import DeductionMode, deduct
from tests.domain.ledger_model import LATER_US, NOW_US, SOON_US, account_with, lot
from tests.domain.test_holds_machine import HoldMachine
from tests.support.doubles import CountingIds


class LowBalanceMachine(HoldMachine):
    """What is told after each step, against what the account showed after the one before."""

    @initialize(threshold=st.sampled_from([1, 5, 20, 60]))
    def choose(self, threshold):
        self.account.low_balance = threshold
        self.written, self.available, self.time_us = 0, 0, 0

    @invariant()
    def each_fall_is_told_once(self):
        decided = self.account.transactions[self.written :] if hasattr(self, "written") else []
        if not decided:
            return
        unit = replace(self.account, transactions=decided, events=[], last_time_us=self.time_us)
        tell_crossings([unit], self.ids)
        time_us = decided[-1].create_time_us
        available = self.account.spendable(time_us) - self.account.debt
        told = [event for event in unit.events if event.kind is EventKind.LOW_BALANCE]
        fell = available < self.account.low_balance <= self.available
        assert [event.detail for event in told] == fell * [
            {"available_microcredits": max(available, 0), "low_balance_microcredits": self.account.low_balance}
        ]
        assert all(event.subject_id == decided[-1].transaction_id for event in told)
        self.written, self.available, self.time_us = len(self.account.transactions), available, time_us


TestLowBalances = LowBalanceMachine.TestCase
TestLowBalances.settings = settings(
    max_examples=40, stateful_step_count=30, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)

CASES = [
    ("not below", {}, 50, 90, False),
    ("to the threshold", {}, 50, 50, False),
    ("below it", {}, 51, 50, True),
    ("without a threshold", {"low_balance": 0}, 51, 0, False),
    ("already below", {"low_balance": 101}, 51, 0, False),
    ("frozen", {"frozen": True}, 51, 0, True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_when_it_is_told(case):
    name, about, amount, _, told = case
    account = account_with(lot("lot_1", 100))
    account.last_time_us, account.low_balance = NOW_US - 1, 50
    deduct(account, amount, DeductionMode.REJECT, now_us=NOW_US, ids=CountingIds())
    for field, value in about.items():
        setattr(account, field, value)
    tell_crossings([account], CountingIds())
    assert bool(account.events) is told, name


def test_what_time_took_is_told_with_the_next_transaction():
    account = account_with(lot("lot_1", 60, expires_us=SOON_US), lot("lot_2", 40))
    account.last_time_us, account.low_balance = NOW_US, 50
    deduct(account, 1, DeductionMode.REJECT, now_us=LATER_US, ids=CountingIds())
    tell_crossings([account], CountingIds())
    assert [event.detail["available_microcredits"] for event in account.events] == [39]
    account.forget_decided()
    deduct(account, 1, DeductionMode.REJECT, now_us=LATER_US, ids=CountingIds())
    tell_crossings([account], CountingIds())
    assert account.events == []
