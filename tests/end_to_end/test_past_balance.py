"""GetBalance of a past moment over a real socket, on both stores: whatever GetBalance showed, it shows again when it is
asked for that moment, with snapshots and without."""

import random
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from billing_client.errors import BillingError, InvalidField
from google.protobuf.json_format import MessageToDict

from billing_service.domain.ledger.lots import Category
from billing_service.jobs.expiry import sweep_expired
from billing_service.jobs.snapshots import Snapshots
from billing_service.storage.rows.ledger import read_accounts
from billing_service.storage.rows.ledger_statements import REWRITE_LOTS
from tests.end_to_end.holding import capture, extend, hold, release
from tests.end_to_end.leaping_clock import LeapingClock
from tests.support.doubles import DAY_US, SECOND_US
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY_SWEEPS = {"BILLING_EXPIRY_SWEEP_INTERVAL_S": "86400", "BILLING_LOG_LEVEL": "ERROR"}
STEPS = 60
UP_TO_AVAILABLE, ALLOW_DEBT = 2, 3


@pytest.fixture
def clock(monkeypatch):
    return LeapingClock().rule(monkeypatch)


@asynccontextmanager
async def service(database):
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        yield stack, wire


async def balance(wire, account_id, **moment):
    return (await wire.call("GetBalance", account_id=account_id, **moment)).balance


async def balance_at(wire, account_id, shown):
    """The balance of the moment that another one was shown at."""
    return await balance(wire, account_id, as_of_time=MessageToDict(shown)["asOfTime"])


def later(clock, seconds):
    return (datetime.fromtimestamp(clock() / SECOND_US, UTC) + timedelta(seconds=seconds)).isoformat()


class Life:
    """Random calls to one account by a clock that leaps ahead, and each balance that was shown between them."""

    def __init__(self, stack, wire, clock, account_id, seed):
        self.stack, self.wire, self.clock, self.account_id = stack, wire, clock, account_id
        self.random = random.Random(seed)
        self.shown = []
        self.holds, self.purchases = [], []
        self.frozen = False

    async def step(self):
        does = self.random.choice(
            [
                *(self.grant, self.spend, self.spend, self.hold, self.hold, self.end_hold, self.extend),
                *(self.freeze, self.buy, self.refund, self.leap, self.leap, self.sweep),
            ]
        )
        with suppress(BillingError):
            await does()
        self.shown.append(await balance(self.wire, self.account_id))

    async def grant(self):
        begins = self.random.choice((None, None, 40))
        ends = self.random.choice((None, 60, 90, 3_600))
        await self.wire.do(
            "GrantCredits",
            account_id=self.account_id,
            amount_microcredits=self.random.randint(1, 50) * CREDIT,
            reason="gift",
            **({"effective_time": later(self.clock, begins)} if begins else {}),
            **({"expire_time": later(self.clock, ends)} if ends else {}),
        )

    async def spend(self):
        await self.wire.do(
            "DeductCredits",
            account_id=self.account_id,
            amount_microcredits=self.random.randint(1, 40) * CREDIT,
            mode=self.random.choice((UP_TO_AVAILABLE, ALLOW_DEBT)),
        )

    async def hold(self):
        ttl = f"{self.random.choice((20, 50, 3_600))}s"
        self.holds.append(await hold(self.wire, self.account_id, self.random.randint(1, 20), mode=2, ttl=ttl))

    async def end_hold(self):
        held = self.random.choice(self.holds or [""])
        if self.random.random() < 0.5:
            await release(self.wire, self.account_id, held)
        else:
            await capture(self.wire, self.account_id, held, 1, final=self.random.random() < 0.5)

    async def extend(self):
        await extend(self.wire, self.account_id, self.random.choice(self.holds or [""]), 1, ttl="70s")

    async def freeze(self):
        self.frozen = not self.frozen
        await self.wire.do(
            "FreezeAccount", account_id=self.account_id, frozen=self.frozen, reason='check "frozen":true'
        )

    async def buy(self):
        if len(self.purchases) < 3:
            self.purchases.append((await self.stack.buy(self.account_id)).purchase_id)

    async def refund(self):
        if self.purchases:
            await self.wire.do("Refund", purchase_id=self.random.choice(self.purchases), policy=2, reason="no")
            await self.stack.webhooks()

    async def leap(self):
        self.clock.off_us += self.random.randint(1, 60) * SECOND_US

    async def sweep(self):
        await sweep_expired(self.stack.service.environment)


async def versions_in_order(wire, account_id):
    """(version, balance after it, time), from the account's history, read forwards."""
    found = []
    for kind in range(14):
        token = ""
        while True:
            page = await wire.call("ListTransactions", account_id=account_id, kind=kind, page_token=token)
            found += page.transactions
            token = page.next_page_token
            if not token:
                break
    return {line.account_version: line for line in found}


@pytest.mark.parametrize("seed", range(4))
async def test_each_balance_that_was_shown_is_shown_again(database, new_account, clock, seed):
    account_id = new_account()
    async with service(database) as (stack, wire):
        life = Life(stack, wire, clock, account_id, seed)
        await life.grant()
        for number in range(STEPS):
            await life.step()
            if number == STEPS // 2:
                await Snapshots(stack.service.environment.store, every=5).run()
        for snapshots in ("some", "all"):
            for shown in life.shown:
                assert await balance_at(wire, account_id, shown) == shown, (snapshots, seed)
            await Snapshots(stack.service.environment.store, every=5).run()
        lines = await versions_in_order(wire, account_id)
        assert sorted(lines) == list(range(1, life.shown[-1].account_version + 1))
        for version, line in lines.items():
            then = await balance(wire, account_id, as_of_version=version)
            assert then.account_version == version
            assert then.as_of_time == line.create_time
        report = await stack.client.verify_ledger()
        assert not report.differences


async def test_moments_that_are_none_are_refused(database, new_account, clock):
    account_id = new_account()
    async with service(database) as (stack, wire):
        assert await wire.refusal("GetBalance", account_id="nobody", as_of_version=0) == (
            "NOT_FOUND",
            "ACCOUNT_NOT_FOUND",
        )
        before = later(clock, -1)
        await Life(stack, wire, clock, account_id, 1).grant()
        for moment in (
            {"as_of_time": later(clock, 60)},
            {"as_of_time": before},
            {"as_of_time": "1999-12-31T23:59:59Z"},
            {"as_of_version": -1},
            {"as_of_version": 2},
        ):
            refused = await wire.error("GetBalance", account_id=account_id, **moment)
            assert isinstance(refused, InvalidField), moment
            assert [field for field, _ in refused.violations] == list(moment)
        made = await balance(wire, account_id, as_of_version=0)
        assert (made.account_version, made.available_microcredits, made.frozen_microcredits) == (0, 0, 0)
        now = await balance(wire, account_id)
        assert (await balance(wire, account_id, as_of_version=1)).account_version == now.account_version


async def test_a_lot_taken_back_since_shows_when_it_would_have_ended(database, new_account, clock):
    """The bonus of a referral goes back with the purchase that earned it, and its lot ends then."""
    referrer, account_id = new_account("referrer"), new_account()
    async with service(database) as (stack, wire):
        await wire.do("CreateAccount", account_id=referrer)
        code = (await wire.call("GetReferral", account_id=referrer)).referral_code
        await wire.do("ApplyReferral", account_id=account_id, referral_code=code)
        bought = await stack.buy(account_id)
        store, ends_us = stack.service.environment.store, clock() + DAY_US

        def end():
            lots = (yield from read_accounts([account_id]))[account_id].lots
            (bonus,) = [lot for lot in lots if lot.category is Category.PROMOTIONAL]
            yield REWRITE_LOTS.many([(account_id, bonus.lot_id, bonus.remaining, 1, ends_us, 0, "", 0)])

        await store.write(end)
        before = await balance(wire, account_id)
        assert before.next_expiry_time.ToMicroseconds() == ends_us
        assert before.next_expiry_microcredits
        await wire.do("Refund", purchase_id=bought.purchase_id, reason="no")
        await stack.webhooks()
        assert not (await balance(wire, account_id)).available_microcredits
        assert await balance_at(wire, account_id, before) == before
        clock.off_us += 2 * DAY_US
        assert await balance_at(wire, account_id, before) == before


async def test_a_client_asks_for_one_moment(database, new_account, clock):
    account_id = new_account()
    async with service(database) as (stack, wire):
        await wire.do("GrantCredits", account_id=account_id, amount_microcredits=5 * CREDIT, reason="gift")
        first = await stack.client.get_balance(account_id=account_id)
        clock.off_us += DAY_US
        await wire.do("DeductCredits", account_id=account_id, amount_microcredits=2 * CREDIT)
        then = first.balance.as_of_time.ToDatetime(UTC)
        for moment in ({"as_of_time": then}, {"as_of_version": 1}):
            past = await stack.client.get_balance(account_id=account_id, **moment)
            assert past.balance.available_microcredits == 5 * CREDIT
        assert (await stack.client.get_balance(account_id=account_id, as_of_version=0)).balance.account_version == 0
        with pytest.raises(ValueError, match="one moment"):
            await stack.client.get_balance(account_id=account_id, as_of_time=then, as_of_version=1)
