"""Nobody uses more than was paid for and kept, given, or owed: chance sequences of everything that moves credits, two
ledgers at a time.

The ledgers are alike but for one thing: the expiry of lots is booked now and then in the one, and never in the other.
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing_service.domain.spending.captures import OverHold
from billing_service.domain.spending.deductions import DeductionMode
from billing_service.integrity.verify import verify_ledger
from billing_service.storage.sqlite.connections import open_sqlite
from tests.money.world import ACCOUNTS, POLICY, REFEREES, REFERRER, World
from tests.support.books import read_books
from tests.support.ledger_check import ledger_problems

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
pytestmark = pytest.mark.timeout(3_600 if LONG else 120)
AMOUNTS = st.sampled_from([1, 3, 5, 10, 10, 20])
LASTS_US = st.sampled_from([None, None, 1, 8, 20])
FAR_US = 10**9
"""By then every lot with an end has ended."""
TEMPLATE = []


@pytest.fixture(scope="module", autouse=True)
def _template(sqlite_template):
    TEMPLATE[:] = [sqlite_template]


class Ledger:
    """A world in a file of its own, for callers without an event loop."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="billing-money-", dir=_memory())
        self.path = Path(self._directory.name) / "ledger.db"
        shutil.copyfile(TEMPLATE[0], self.path)
        self._runner = asyncio.Runner()
        with structlog.testing.capture_logs():
            self._store = self._runner.run(open_sqlite(self.path))
        self.world = World(self._store)
        self._runner.run(self.world.begin())

    def do(self, action, *arguments):
        return self._runner.run(self.world.do(action, *arguments))

    def run(self, coroutine):
        return self._runner.run(coroutine)

    def differences(self):
        return self.run(verify_ledger(self._store)).differences

    def close(self):
        self._runner.run(self.world.close())
        self._runner.run(self._store.close())
        self._runner.close()
        self._directory.cleanup()


class MoneyMachine(RuleBasedStateMachine):
    """Three accounts, one of whom referred the others."""

    def __init__(self):
        super().__init__()
        self.swept, self.unswept = self.ledgers = [Ledger(), Ledger()]
        self.granted_for_good = dict.fromkeys(ACCOUNTS, 1)
        self.ending = set()
        """Purchases whose credits end."""

    def both(self, action, *arguments):
        told = [ledger.do(action, *arguments) for ledger in self.ledgers]
        assert told[0] == told[1], (action, arguments, told)
        return told[0]

    @initialize(
        sold=st.sampled_from([10, 20]),
        paid=st.sampled_from([10, 15]),
        lasts=LASTS_US,
        spent=AMOUNTS,
        waits=st.booleans(),
    )
    def earn_bonuses(self, sold, paid, lasts, spent, waits):
        """The stories worth telling begin with a purchase that earned bonuses, and have spent of them."""
        self.buy(REFEREES[0], sold, paid, 0, lasts)
        if waits:
            self.time_passes(POLICY.vesting_delay_us, sweeps=False)
        for account_id in (REFERRER, REFEREES[0]):
            self.both("deduct", account_id, spent, DeductionMode.ALLOW_DEBT)

    @rule(
        account_id=st.sampled_from(ACCOUNTS),
        amount=AMOUNTS,
        mode=st.sampled_from([*DeductionMode, DeductionMode.ALLOW_DEBT]),
    )
    def deduct(self, account_id, amount, mode):
        self.both("deduct", account_id, amount, mode)

    @rule(
        account_id=st.sampled_from(ACCOUNTS), amount=AMOUNTS, us=st.integers(1, 9), capture=st.sampled_from([0, 0, 3])
    )
    def hold(self, account_id, amount, us, capture):
        self.both("hold", account_id, amount, us, min(capture, amount))

    @precondition(lambda self: self.swept.world.holds)
    @rule(data=st.data(), amount=st.integers(0, 25), over=st.sampled_from(OverHold), final=st.booleans())
    def capture(self, data, amount, over, final):
        self.both("capture", self._hold(data), amount, over, final or not amount)

    @precondition(lambda self: self.swept.world.holds)
    @rule(data=st.data(), more=st.sampled_from([None, None, 0, 5]), us=st.integers(1, 9))
    def release_or_extend(self, data, more, us):
        if more is None:
            self.both("release", self._hold(data))
        else:
            self.both("extend", self._hold(data), more, us)

    def _hold(self, data):
        """The newest more often."""
        holds = len(self.swept.world.holds)
        return holds - 1 - data.draw(st.integers(0, min(holds - 1, 3)))

    @precondition(lambda self: self.swept.world.deductions)
    @rule(data=st.data(), amount=st.none() | AMOUNTS)
    def reverse(self, data, amount):
        """The newest are undone more often."""
        deductions = len(self.swept.world.deductions)
        back = data.draw(st.integers(0, min(deductions - 1, 5)))
        self.both("reverse", deductions - 1 - back, amount)

    @precondition(lambda self: self.swept.world.deductions)
    @rule(data=st.data(), microcredits=st.sampled_from([0, 1, 3, 5, 10, 20, 30]))
    def rerate(self, data, microcredits):
        deductions = len(self.swept.world.deductions)
        back = data.draw(st.integers(0, min(deductions - 1, 5)))
        self.both("rerate", deductions - 1 - back, microcredits)

    @rule(
        account_id=st.sampled_from([*REFEREES, *REFEREES, *ACCOUNTS]),
        sold=st.sampled_from([10, 20]),
        paid=st.sampled_from([0, 9, 10, 15, 21]),
        tax=st.sampled_from([0, 0, 1, 3]),
        lasts=LASTS_US,
    )
    def buy(self, account_id, sold, paid, tax, lasts):
        self.both("buy", account_id, sold, paid + tax, paid, lasts)
        if lasts is not None:
            self.ending.add(len(self.swept.world.purchases) - 1)

    @rule(
        data=st.data(),
        policy=st.sampled_from(["UNUSED_ONLY", "WITH_DEBT", "WITH_DEBT"]),
        amount=st.none() | st.integers(1, 12),
        status=st.sampled_from(["succeeded", "pending", "pending", "refused"]),
    )
    def refund(self, data, policy, amount, status):
        number = self._purchase(data)
        account_id, _ = self.swept.world.purchases[number]
        owed = self._owed(account_id)
        self.both("refund", number, policy, amount, status)
        if policy == "UNUSED_ONLY":
            assert self._owed(account_id) <= owed, "what was not used makes no debt"

    @rule(
        data=st.data(), which=st.integers(0, 3), status=st.sampled_from(["FAILED", "FAILED", "SUCCEEDED", "CANCELED"])
    )
    def move_refund(self, data, which, status):
        self.both("move_refund", self._purchase(data), which, status)

    @rule(data=st.data(), amount=st.sampled_from([0, 0, 1, 5, 10, 99]))
    def dispute(self, data, amount):
        self.both("dispute", self._purchase(data), amount)

    @rule(
        account_id=st.sampled_from(ACCOUNTS),
        amount=AMOUNTS,
        lasts=LASTS_US,
        frozen=st.sampled_from([None, None, False, True]),
    )
    def operate(self, account_id, amount, lasts, frozen):
        """An operator grants, or freezes for a while."""
        if frozen is not None:
            self.both("freeze", account_id, frozen)
        elif self.both("grant", account_id, amount, lasts) is None and lasts is None:
            self.granted_for_good[account_id] += amount

    @rule(us=st.integers(1, 9), sweeps=st.booleans())
    def time_passes(self, us, sweeps):
        for ledger in self.ledgers:
            ledger.world.clock.now_us += us
            ledger.do("book_holds")
        if sweeps:
            self.swept.do("sweep")

    def _owed(self, account_id):
        return self.swept.do("shown")[ACCOUNTS.index(account_id)].debt

    def _purchase(self, data):
        """Mostly the first, which earned the bonuses."""
        return data.draw(st.sampled_from([0, *range(len(self.swept.world.purchases))]))

    @invariant()
    def nobody_uses_more_than_was_paid_given_or_owed(self):
        for ledger in self.ledgers:
            for account_id, books in read_books(ledger.path).items():
                entitled = books.kept + books.granted + books.bonuses + books.debt
                assert not books.problems, (account_id, books.problems)
                assert books.used <= entitled, (account_id, books)
                assert books.used + books.left + books.expired == entitled, (
                    f"{account_id} lost credits, or found some: {books}"
                )
                assert books.debt <= books.used + books.held, f"{account_id} owes more than it used or holds: {books}"

    @invariant()
    def the_sweep_decides_nothing(self):
        assert self.swept.do("shown") == self.unswept.do("shown")

    def teardown(self):
        try:
            self._expect_expiries_to_hold()
            for ledger in self.ledgers:
                assert ledger.differences() == []
                assert ledger_problems(_Database(ledger.path)) == []
        finally:
            for ledger in self.ledgers:
                ledger.close()

    def _expect_expiries_to_hold(self):
        """In the end, when all that had an end has ended: what is left was bought or given for good."""
        for ledger in self.ledgers:
            ledger.world.clock.now_us += FAR_US
            ledger.do("sweep")
            books = read_books(ledger.path)
            bought = dict.fromkeys(ACCOUNTS, 0)
            for number, (account_id, purchase_id) in enumerate(ledger.world.purchases):
                if number not in self.ending:
                    bought[account_id] += _kept(ledger.path, purchase_id)
            for account_id in ACCOUNTS:
                for_good = bought[account_id] + self.granted_for_good[account_id] + books[account_id].bonuses
                assert books[account_id].left <= for_good, (account_id, books[account_id], for_good)


def _kept(path, purchase_id):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(
            "SELECT credits - reversed FROM purchases WHERE purchase_id = ?", (purchase_id,)
        ).fetchone()[0]


class _Database:
    store = "sqlite"

    def __init__(self, path):
        self.path = path


def _memory():
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


TestMoney = MoneyMachine.TestCase
TestMoney.settings = settings(
    max_examples=1_000 if LONG else 20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
