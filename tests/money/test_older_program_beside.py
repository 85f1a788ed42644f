"""An older program writes to a ledger of this schema while this one is deployed: chance sequences of what both do.
Nothing false is reported, whenever the ledger is verified, and what the one began the other ends."""

import contextlib

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing_service.domain.refusals import Refusal
from billing_service.domain.spending.deductions import DeductionMode
from tests.money.older_program import OlderProgram
from tests.money.test_value_used import AMOUNTS, LASTS_US, LONG, TEMPLATE, Ledger
from tests.money.world import ACCOUNTS, POLICY, REFEREES, REFERRER

pytestmark = pytest.mark.timeout(3_600 if LONG else 120)
OLDER = st.booleans()
"""Whether the older program does it."""


@pytest.fixture(scope="module", autouse=True)
def _template(sqlite_template):
    TEMPLATE[:] = [sqlite_template]


class DeploymentMachine(RuleBasedStateMachine):
    """Three accounts, one of whom referred the others."""

    def __init__(self):
        super().__init__()
        self.ledger = Ledger()
        self.world = self.ledger.world
        self.older_program = OlderProgram(self.world)

    def older(self, action, *arguments):
        with contextlib.suppress(Refusal):
            self.ledger.run(getattr(self.older_program, action)(*arguments))

    def do(self, older, action, *arguments):
        if older:
            self.older(action, *arguments)
        else:
            self.ledger.do(action, *arguments)

    @initialize(sold=st.sampled_from([10, 20]), lasts=LASTS_US, spent=AMOUNTS, waits=st.booleans())
    def earn_bonuses(self, sold, lasts, spent, waits):
        self.ledger.do("buy", REFEREES[0], sold, 10, 10, lasts)
        if waits:
            self.world.clock.now_us += POLICY.vesting_delay_us
        for account_id in (REFERRER, REFEREES[0]):
            self.ledger.do("deduct", account_id, spent, DeductionMode.ALLOW_DEBT)

    @rule(account_id=st.sampled_from(ACCOUNTS), amount=AMOUNTS)
    def deduct(self, account_id, amount):
        self.ledger.do("deduct", account_id, amount, DeductionMode.ALLOW_DEBT)

    @rule(
        account_id=st.sampled_from(REFEREES),
        sold=st.sampled_from([10, 20]),
        paid=st.sampled_from([9, 10, 15]),
        lasts=LASTS_US,
    )
    def buy(self, account_id, sold, paid, lasts):
        self.ledger.do("buy", account_id, sold, paid, paid, lasts)

    @precondition(lambda self: self.world.deductions)
    @rule(data=st.data(), amount=st.none() | AMOUNTS, older=OLDER)
    def reverse(self, data, amount, older):
        self.do(older, "reverse", data.draw(st.integers(0, len(self.world.deductions) - 1)), amount)

    @rule(data=st.data(), amount=st.integers(1, 12), older=OLDER)
    def refund(self, data, amount, older):
        number = self._purchase(data)
        if older:
            self.older("refund", number, amount)
        else:
            self.ledger.do("refund", number, "WITH_DEBT", amount, "pending")

    @rule(
        data=st.data(), which=st.integers(0, 3), status=st.sampled_from(["FAILED", "FAILED", "SUCCEEDED"]), older=OLDER
    )
    def move_refund(self, data, which, status, older):
        self.do(older, "move_refund", self._purchase(data), which, status)

    @rule(data=st.data(), amount=st.sampled_from([0, 0, 1, 5, 10, 99]), older=OLDER)
    def dispute(self, data, amount, older):
        self.do(older, "dispute", self._purchase(data), amount)

    @rule(us=st.integers(1, 9), older=OLDER)
    def time_passes(self, us, older):
        self.world.clock.now_us += us
        self.do(older, "sweep")

    def _purchase(self, data):
        return data.draw(st.sampled_from([0, *range(len(self.world.purchases))]))

    @invariant()
    def nothing_false_is_reported(self):
        assert self.ledger.differences() == []

    def teardown(self):
        try:
            for account_id in ACCOUNTS:  # this program catches up with each
                self.ledger.do("grant", account_id, 1, None)
            assert self.ledger.differences() == []
        finally:
            self.ledger.close()


TestDeployment = DeploymentMachine.TestCase
TestDeployment.settings = settings(
    max_examples=1_000 if LONG else 30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
