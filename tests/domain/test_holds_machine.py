"""Any sequence of holds, captures, releases and extensions, among all that can happen to an account, keeps every
invariant, and a refusal changes nothing."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from billing_service.domain.ledger.holds import HoldState, book_ended_holds
from billing_service.domain.spending.captures import OverHold, capture_hold
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.domain.spending.holds import (
    Author,
    HoldMode,
    HoldTerms,
    extend_hold,
    hold_credits,
    release_hold,
)
from billing_service.domain.spending.windows import UTC_WINDOWS
from tests.domain.ledger_model import snapshot
from tests.domain.test_account_machine import AMOUNTS, AccountMachine

AUTHOR = Author("tests")
TERMS = SpendingTerms(debt_max=20, late_capture_us=4)


class HoldMachine(AccountMachine):
    """Time ends holds, and whoever comes next books that first, as units of work do."""

    def _note(self, transactions):
        for transaction in transactions:
            for bonus in self.bonuses:
                bonus.note(transaction, now_us=self.now_us)

    def _decided(self, decide):
        """Decides, and notes what came back into bonuses that were taken back."""
        count = len(self.account.transactions)
        before, holds = snapshot(self.account), self._figures()
        with self.refusing_cleanly():
            done = decide()
            self._note(self.account.transactions[count:])
            return done
        assert (snapshot(self.account), self._figures()) == (before, holds)
        return None

    def _figures(self):
        return {
            hold.hold_id: (hold.state, hold.amount, hold.captured, hold.released, hold.expire_time_us)
            for hold in self.account.holds.values()
        }

    def _drawn(self, data):
        return self.account.holds[data.draw(st.sampled_from(sorted(self.account.holds)))]

    @rule(amount=AMOUNTS, mode=st.sampled_from(HoldMode), lasts=st.integers(1, 9), capture=st.integers(0, 10))
    def hold(self, amount, mode, lasts, capture):
        offered = self.account.show(self.now_us).available
        asked = HoldTerms(amount, mode, 1, lasts, min(capture, amount))
        made = self._decided(lambda: hold_credits(self.account, asked, AUTHOR, windows=UTC_WINDOWS, **self.about))
        if made is not None:
            assert made.hold.amount == min(amount, offered)
            assert self.account.show(self.now_us).available == offered - made.hold.amount

    @precondition(lambda self: self.account.holds)
    @rule(data=st.data(), amount=st.integers(0, 60), over=st.sampled_from(OverHold), final=st.booleans())
    def capture(self, data, amount, over, final):
        hold = self._drawn(data)
        is_late, owed, captured = hold.state is HoldState.EXPIRED, self.account.debt, hold.captured
        done = self._decided(
            lambda: capture_hold(
                self.account, hold, amount, over, AUTHOR, final=final or not amount, terms=TERMS, **self.about
            )
        )
        if done is None:
            return
        assert done.amount + done.uncollected == amount
        assert over in (OverHold.UP_TO_HOLD, OverHold.ALLOW_DEBT) or not done.uncollected
        assert hold.captured - captured <= done.amount
        assert self.account.debt <= max(owed, TERMS.debt_max, self.account.overdraft_limit)
        assert hold.captured == captured or not is_late
        self.reversed[done.transaction_id] = 0
        if not any(entry.destination == "usage" for entry in self.account.transactions[-1].entries):
            del self.reversed[done.transaction_id]

    @precondition(lambda self: self.account.holds)
    @rule(data=st.data())
    def release(self, data):
        hold = self._drawn(data)
        self._decided(lambda: release_hold(self.account, hold, AUTHOR, **self.about))

    @precondition(lambda self: self.account.holds)
    @rule(data=st.data(), amount=st.integers(0, 20), lasts=st.integers(1, 9))
    def extend(self, data, amount, lasts):
        hold = self._drawn(data)
        ends = hold.expire_time_us
        self._decided(lambda: extend_hold(self.account, hold, amount, lasts, AUTHOR, **self.about))
        assert hold.expire_time_us >= ends

    @rule(microseconds=st.integers(-3, 8))
    def time_passes(self, microseconds):
        self.now_us += microseconds
        self._note(book_ended_holds(self.account, **self.about))

    @invariant()
    def holds_add_up(self):
        holds = self.account.holds.values()
        assert self.account.holds_open == sum(hold.is_open for hold in holds)
        assert self.account.held == sum(hold.left for hold in holds)
        for hold in holds:
            assert hold.captured + hold.released + hold.left == hold.amount
            assert hold.is_open or hold.left == 0
            legs = [(leg.amount, leg.captured, leg.returned) for leg in hold.legs]
            sums = tuple(map(sum, zip(*legs, strict=True)))
            assert sums == (hold.amount, hold.captured, hold.released)
            assert min(min(leg.left, leg.captured, leg.returned) for leg in hold.legs) >= 0


TestHoldMachine = HoldMachine.TestCase
TestHoldMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
