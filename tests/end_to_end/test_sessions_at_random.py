"""Sessions at random, against a model: owners that tick, break, resume and close, other spenders, and a clock that
leaps over graces. Whatever happens, credits are where they must be."""

import os
from dataclasses import dataclass, field
from random import Random

import pytest
import pytest_asyncio
from billing_client.errors import AccountFrozen, BillingError, HoldExpired, InsufficientCredits, SessionTakenOver
from google.protobuf.duration_pb2 import Duration

from tests.end_to_end.leaping_clock import LeapingClock
from tests.support.doubles import SECOND_US
from tests.support.metered import Metered, cost, tokens
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, key

pytestmark = pytest.mark.asyncio(loop_scope="session")

HISTORIES = 200 if os.environ.get("BILLING_LONG_TESTS") == "1" else 6
STEPS = 40
GRACE_S = 600
POOR, RICH = 8, 10_000
"""Credits of accounts: with the second nothing is ever missing, and every credit is accounted for."""
FREE = {"REFUSED", "RATE_LIMITED", "PROVIDER_FAILED", "TIMED_OUT"}
INPUT = {"EMPTY", "FILTERED"}
OUTCOMES = sorted(FREE | INPUT | {"COMPLETE", "CUT", "ENDED_EARLY", "CANCELED", "STOPPED_BY_LENGTH", "RETRIED"})


@pytest.fixture
def clock(monkeypatch):
    return LeapingClock().rule(monkeypatch)


@pytest_asyncio.fixture(loop_scope="session")
async def wire(database, clock):
    assert clock.off_us == 0
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as raw:
        yield raw
        assert not (await stack.client.verify_ledger()).differences


@dataclass
class Owned:
    """What the model knows of a session."""

    opened: object
    stream: object
    beaten_at_us: int
    """When its stream last lived."""
    sequence: int = 0
    highest: int = 0
    """The highest acknowledged price."""


@dataclass
class World:
    """One account's history."""

    wire: object
    clock: object
    account_id: str
    random: Random
    granted: int = 0
    charged: int = 0
    """By closes and by deductions."""
    frozen: bool = False
    was_frozen: bool = False
    """Whether holds may have been too small for what was acknowledged."""
    open: list[Owned] = field(default_factory=list)
    abandoned: list[Owned] = field(default_factory=list)
    """Sessions whose stream broke and whose grace may end."""

    async def run(self):
        is_rich = self.random.random() < 0.5
        self.granted = (RICH if is_rich else POOR) * CREDIT
        await self.wire.do("GrantCredits", account_id=self.account_id, amount_microcredits=self.granted, reason="gift")
        steps = [
            self.begin,
            self.tick,
            self.tick,
            self.tick,
            self.cut,
            self.resume,
            self.close,
            self.deduct,
            self.leap,
            self.freeze,
        ]
        for _ in range(STEPS):
            await self.random.choice(steps)()
            await self.check()
        if self.frozen:
            await self.freeze()
        for owned in tuple(self.open):
            await self.end(owned, "COMPLETE", None)
        self.clock.off_us += 2 * GRACE_S * SECOND_US
        await self.check()
        shown = await self.shown()
        assert shown.held_microcredits == 0
        expired = sum(owned.highest for owned in self.abandoned)
        assert self.charged + shown.available_microcredits <= self.granted
        assert self.granted - self.charged - expired <= shown.available_microcredits, "no more than what was told"
        if is_rich and not self.was_frozen:
            assert self.granted - self.charged - expired == shown.available_microcredits, "and no less"

    async def shown(self):
        return (await self.wire.call("GetBalance", account_id=self.account_id)).balance

    async def check(self):
        shown = await self.shown()
        assert shown.debt_microcredits == 0
        assert min(shown.available_microcredits, shown.held_microcredits) >= 0
        assert shown.available_microcredits + shown.held_microcredits + self.charged <= self.granted

    async def begin(self):
        stream = Metered(self.wire)
        try:
            opened = await stream.open(
                self.account_id,
                slice_microcredits=self.random.choice([1, CREDIT // 3, CREDIT]),
                grace=Duration(seconds=GRACE_S),
            )
        except AccountFrozen:
            assert self.frozen
            return
        except InsufficientCredits:
            return
        assert not self.frozen
        self.open.append(Owned(opened, stream, self.clock()))

    async def tick(self):
        if self.open:
            owned = self.random.choice(self.open)
            written = self.random.randint(0, 1_500)
            step = self.random.choice([-1, 0, 1, 1, 1, 7])
            if owned.sequence + step < 1:
                return
            answer = await owned.stream.tick(owned.sequence + step, tokens(1, written))
            if step > 0:
                owned.sequence, owned.highest = owned.sequence + step, max(owned.highest, cost(1, written))
            assert (answer.sequence, answer.charged_microcredits) == (owned.sequence, owned.highest)
            owned.beaten_at_us = self.clock()

    async def cut(self):
        if self.open:
            owned = self.open.pop(self.random.randrange(len(self.open)))
            owned.stream.cut()
            self.abandoned.append(owned)

    async def resume(self):
        if not self.abandoned:
            return
        owned = self.abandoned[self.random.randrange(len(self.abandoned))]
        stream = Metered(self.wire)
        what, again = await stream.resume(self.account_id, owned.opened)
        assert what == "opened"
        assert (again.sequence, again.charged_microcredits) == (owned.sequence, owned.highest)
        if again.token == owned.opened.token:  # its grace is over: it can be closed late, and no more
            with pytest.raises(HoldExpired):
                await stream.tick(owned.sequence + 1, tokens(1))
            return
        self.abandoned.remove(owned)
        owned.opened, owned.stream = again, stream
        self.open.append(owned)

    async def close(self):
        if self.open:
            owned = self.random.choice(self.open)
            used = self.random.choice([None, (3, self.random.randint(0, 1_500))])
            await self.end(owned, self.random.choice(OUTCOMES), used)

    async def end(self, owned, outcome, used):
        if used is None and owned.sequence == 0:
            used = (3, 0)
        before = await self.shown()
        closed = await owned.stream.close(outcome, usage=None if used is None else tokens(*used))
        asked = closed.charged_microcredits + closed.uncollected_microcredits
        if used is not None:
            assert asked == (0 if outcome in FREE else cost(used[0]) if outcome in INPUT else cost(*used))
        elif outcome in FREE:
            assert asked == 0
        assert closed.uncollected_microcredits == 0 or closed.balance.available_microcredits == 0
        assert closed.charged_microcredits <= before.available_microcredits + before.held_microcredits
        self.charged += closed.charged_microcredits
        self.open.remove(owned)

    async def deduct(self):
        amount = self.random.randint(1, CREDIT)
        try:
            await self.wire.call(
                "DeductCredits", account_id=self.account_id, amount_microcredits=amount, idempotency_key=key()
            )
        except AccountFrozen:
            assert self.frozen
            return
        except InsufficientCredits:
            return
        assert not self.frozen
        self.charged += amount

    async def freeze(self):
        """Or the end of it. What happens to open sessions goes on; their holds grow no more."""
        self.frozen, self.was_frozen = not self.frozen, True
        fields = {"account_id": self.account_id, "frozen": self.frozen, "reason": "a check"}
        await self.wire.do("FreezeAccount", **fields)

    async def leap(self):
        """Over the grace of what is abandoned; a living session is prolonged by its stream, so it gets the time."""
        if not self.open:
            self.clock.off_us += self.random.choice([GRACE_S // 2, 2 * GRACE_S]) * SECOND_US


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_whatever_happens_credits_are_where_they_must_be(wire, clock, seed):
    world = World(wire, clock, f"world-{seed}", Random(seed))
    try:
        await world.run()
    except (BillingError, SessionTakenOver) as error:
        raise AssertionError(f"seed {seed}: {error}") from error
