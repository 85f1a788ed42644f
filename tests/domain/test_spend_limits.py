"""Counters of spend limits against a model: what each charge counted, and in which window."""

from datetime import UTC
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Place, TransactionKind
from billing_service.domain.ledger.granting import grant, new_lot
from billing_service.domain.ledger.lots import Category
from billing_service.domain.ledger.spend_limits import SpendLimit
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.deductions import DeductionMode, SpendingTerms, deduct
from billing_service.domain.spending.limits import count_decided, give_back, standing
from billing_service.domain.spending.windows import SpendWindow, Windows
from tests.support.doubles import CountingIds

HOUR_US = 3_600_000_000
START_US = 1_774_695_600_000_000
"""28 March 2026, 12:00 in Berlin: a day that is 23 hours long begins twelve hours later."""
SPENDERS = ("team", "member", "agent")
NAMED = st.lists(st.sampled_from(SPENDERS), max_size=3, unique=True)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("charge"), NAMED, st.integers(1, 60), st.sampled_from(DeductionMode)),
        st.tuples(st.just("undo"), st.integers(0, 30), st.integers(1, 40)),
        st.tuples(st.just("pass"), st.integers(1, 30)),
        st.tuples(st.just("set"), st.sampled_from(("", *SPENDERS)), st.sampled_from(SpendWindow), st.integers(0, 150)),
        st.tuples(st.just("remove"), st.sampled_from(("", *SPENDERS)), st.sampled_from(SpendWindow)),
    ),
    max_size=40,
)


class World:
    """An account with limits, and beside it a list of what was charged."""

    def __init__(self, zone):
        self.windows, self.now_us, self.ids = Windows(zone), START_US, CountingIds()
        self.terms = SpendingTerms(windows=self.windows, debt_max=10**12)
        self.account = Account("a", limits_version=1, limits={spender: [] for spender in ("", *SPENDERS)})
        lot = new_lot(10**9, Category.PAID, now_us=0, ids=self.ids)
        grant(self.account, lot, Place.SALES, TransactionKind.GRANT, now_us=START_US, ids=self.ids)
        self.account.forget_decided()
        self.charges = []

    def limits(self):
        return [limit for spender in ("", *SPENDERS) for limit in self.account.limits[spender]]

    def expected(self, limit):
        """By the list alone: what counts in the limit's window now."""
        window = self.windows.edges(SpendWindow(limit.window), self.now_us)
        return sum(
            left
            for at_us, named, left, counted in self.charges
            if limit.spender_id in named and at_us >= window.start_us and id(limit) in counted
        )

    def step(self, kind, *given_):
        getattr(self, kind)(*given_)
        for limit in self.limits():
            assert standing(limit, self.windows, self.now_us).used == self.expected(limit), limit

    def charge(self, named, amount, mode):
        lefts = [
            standing(limit, self.windows, self.now_us).left for s in ("", *named) for limit in self.account.limits[s]
        ]
        room = min([amount, *lefts])
        try:
            done = deduct(
                self.account, amount, mode, now_us=self.now_us, ids=self.ids, terms=self.terms, spender_ids=named
            )
        except Refusal as refusal:
            seen = (refusal.reason, mode, room < amount)
        else:
            self.charged(named, done, room if mode is DeductionMode.UP_TO_AVAILABLE else amount)
            seen = None
        refused = mode is DeductionMode.REJECT and room < amount
        assert seen == ((Reason.SPEND_LIMIT_REACHED, mode, True) if refused else None)

    def charged(self, named, done, amount):
        assert done.amount == amount
        count_decided(self.account, named, self.windows)
        self.account.forget_decided()
        self.charges.append([self.now_us, ("", *named), done.amount, {id(limit) for limit in self.limits()}])

    def undo(self, which, amount):
        if which < len(self.charges):
            charge = self.charges[which]
            back = min(amount, charge[2])
            charge[2] -= back
            now = {"counted_us": charge[0], "now_us": self.now_us}
            give_back(self.account, charge[1][1:], back, self.windows, **now)

    def set(self, spender, window, amount_max):
        limits = self.account.limits[spender]
        known = next((limit for limit in limits if limit.window == window), None)
        if known:
            known.amount_max = amount_max
            return
        start_us = self.windows.edges(window, self.now_us).start_us
        self.now_us += 1
        limits.append(SpendLimit(spender, int(window), amount_max, 0, start_us, self.now_us))
        limits.sort(key=lambda limit: limit.window)
        self.kept = getattr(self, "kept", [])
        self.kept.append(limits[-1])

    def remove(self, spender, window):
        kept = [limit for limit in self.account.limits[spender] if limit.window != window]
        self.gone = [*getattr(self, "gone", []), *self.account.limits[spender]]  # alive, or an id might be used again
        self.account.limits[spender] = kept

    def __getattr__(self, name):
        if name == "pass":
            return self.wait
        raise AttributeError(name)

    def wait(self, hours):
        self.now_us += hours * HOUR_US


@given(st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")]), STEPS)
def test_counters_are_what_charges_and_reversals_come_to(zone, steps):
    world = World(zone)
    for step in steps:
        world.step(*step)
