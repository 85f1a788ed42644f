"""How holds end by their time, with and without a sweep, and what becomes of lots that ended under them, on both
stores."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from billing_client import AsyncBillingClient
from billing_client.errors import HoldExpired
from prepaid.billing.v1.transactions_pb2 import TRANSACTION_KIND_HOLD_RELEASE

from billing_service.clock import system_clock_us
from billing_service.jobs.expiry import sweep_expired
from tests.end_to_end.holding import (
    ALLOW_DEBT,
    CAPTURED,
    EXPIRED,
    FROM_AVAILABLE,
    OPEN,
    REJECT,
    RELEASED,
    UP_TO_HOLD,
    capture,
    extend,
    figures,
    hold,
    release,
    sums,
)
from tests.end_to_end.money import deduct, grant
from tests.end_to_end.test_rules_of_holds import CLOSED, FROZEN, SHORT, refused
from tests.support.doubles import DAY_US, SECOND_US
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY_SWEEPS = {"BILLING_EXPIRY_SWEEP_INTERVAL_S": "86400", "BILLING_LOG_LEVEL": "ERROR"}
LATE = ("FAILED_PRECONDITION", "HOLD_EXPIRED")
MINUTE_US = 60 * SECOND_US


@pytest.fixture
def shift(monkeypatch):
    """Microseconds that the service's clock is ahead; nobody sweeps by itself."""
    ahead = [0]
    monkeypatch.setattr("billing_service.bootstrap.system_clock_us", lambda: system_clock_us() + ahead[0])
    return ahead


@pytest_asyncio.fixture(loop_scope="session")
async def product(database, shift):
    del shift
    async with running_stack(database.url, **NOBODY_SWEEPS) as stack, Wire(stack.service.address) as wire:
        yield stack, wire


@pytest.mark.parametrize("sweeps", [False, True])
async def test_what_an_ended_hold_reserved_is_there_again_at_once(product, new_account, shift, sweeps):
    stack, wire = product
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 100, expiry_capture_microcredits=30 * CREDIT)
    shift[0] = 10 * MINUTE_US
    if sweeps:
        assert await sweep_expired(stack.service.environment) == 1
    assert await sums(wire, account_id) == (70, 0, 0, 0)
    assert await figures(wire, account_id, held) == (EXPIRED, 100, 30, 70)
    opened = await wire.call("ListHolds", account_id=account_id, open_only=True)
    assert list(opened.holds) == []
    await deduct(wire, account_id, 70)
    assert await sums(wire, account_id) == (0, 0, 0, 0)
    lines = (await wire.call("ListTransactions", account_id=account_id)).transactions
    assert [line.amount_microcredits // CREDIT for line in lines] == [-70, -30, 100]
    found = (await wire.call("GetHold", account_id=account_id, hold_id=held)).hold
    assert lines[1].effective_time == found.expire_time
    assert lines[1].source_id == held


async def test_what_was_captured_counts_towards_what_is_captured_at_the_end(product, new_account, shift):
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 100, expiry_capture_microcredits=30 * CREDIT)
    await capture(wire, account_id, held, 20, final=False)
    shift[0] = 10 * MINUTE_US
    assert await figures(wire, account_id, held) == (EXPIRED, 100, 30, 70)


async def test_two_clocks_and_one_hold(product, new_account, shift):
    """One process is ten seconds ahead: it counts the hold as ended and spends it. The other, behind, still finds it
    open by its own clock, and must not capture it."""
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 100, ttl="60s")
    shift[0] = MINUTE_US + 5 * SECOND_US
    await deduct(wire, account_id, 100)
    shift[0] = 0
    assert await refused(capture(wire, account_id, held, 100)) == SHORT
    assert await sums(wire, account_id) == (0, 0, 0, 0)
    lines = (await wire.call("ListTransactions", account_id=account_id)).transactions
    await grant(wire, account_id, 1)
    newer = (await wire.call("ListTransactions", account_id=account_id)).transactions[0]
    assert newer.create_time.ToMicroseconds() >= lines[0].create_time.ToMicroseconds(), "never before the last"


async def test_a_hold_shields_nothing_for_longer_than_a_day(product, new_account, shift):
    """A trial of 1,000 credits for 14 days: held and extended, it would be good for years."""
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 1000)
    held = await hold(wire, account_id, 1000, ttl="43200s")
    shift[0] = DAY_US // 4
    await extend(wire, account_id, held, ttl="60s")
    found = (await wire.call("GetHold", account_id=account_id, hold_id=held)).hold
    assert found.expire_time.seconds - found.create_time.seconds == 43_200, "an extension never shortens"
    assert await refused(extend(wire, account_id, held, ttl="64801s")) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    await extend(wire, account_id, held, ttl="64700s")
    assert await figures(wire, account_id, held) == (OPEN, 1000, 0, 0)
    shift[0] = DAY_US
    assert await sums(wire, account_id) == (1000, 0, 0, 0)


@pytest.mark.parametrize("how", ["release", "capture", "expire"])
async def test_a_lot_that_ran_out_under_a_hold_is_gone_when_the_hold_ends(product, new_account, shift, how):
    _, wire = product
    account_id = new_account()
    ends = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await grant(wire, account_id, 100, expire_time=ends)
    await grant(wire, account_id, 10)
    held = await hold(wire, account_id, 60)
    shift[0] = 6 * MINUTE_US
    assert await sums(wire, account_id) == (10, 60, 0, 0), "what is held lives on, the rest of the lot has expired"
    if how == "release":
        await release(wire, account_id, held)
    elif how == "capture":
        assert (await capture(wire, account_id, held, 20)).captured_microcredits == 20 * CREDIT
    else:
        shift[0] = 10 * MINUTE_US
    assert await sums(wire, account_id) == (10, 0, 0, 0)
    if how == "release":
        kept = await wire.call("ListTransactions", account_id=account_id, kind=TRANSACTION_KIND_HOLD_RELEASE)
        assert [line.amount_microcredits // CREDIT for line in kept.transactions] == [-60], "it ran out at once"
    state, amount, captured, released = await figures(wire, account_id, held)
    expected = {"release": (RELEASED, 0), "capture": (CAPTURED, 20), "expire": (EXPIRED, 0)}[how]
    assert (state, captured) == expected
    assert amount == captured + released


async def test_what_ran_out_under_a_hold_pays_what_is_owed_first(product, new_account, shift):
    """As it would have, had the hold ended before its lot: a debt is never of credits that merely expired."""
    _, wire = product
    account_id = new_account()
    ends = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await grant(wire, account_id, 100, expire_time=ends)
    held = await hold(wire, account_id, 60)
    await deduct(wire, account_id, 50, 3)
    assert await sums(wire, account_id) == (0, 60, 0, 10)
    shift[0] = 6 * MINUTE_US
    await release(wire, account_id, held)
    assert await sums(wire, account_id) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("over_hold", "asked", "charged", "left"),
    [
        (REJECT, 80, 80, (20, 0, 0, 0)),
        (REJECT, 101, None, (100, 0, 0, 0)),
        (UP_TO_HOLD, 120, 100, (0, 0, 0, 0)),
        (FROM_AVAILABLE, 100, 100, (0, 0, 0, 0)),
        (FROM_AVAILABLE, 101, None, (100, 0, 0, 0)),
        (ALLOW_DEBT, 130, 130, (0, 0, 0, 30)),
    ],
)
async def test_a_late_capture_is_an_ordinary_charge_once(product, new_account, shift, over_hold, asked, charged, left):  # noqa: PLR0917
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 100)
    shift[0] = 24 * MINUTE_US
    if charged is None:
        assert await refused(capture(wire, account_id, held, asked, over_hold)) == SHORT
        assert await sums(wire, account_id) == left
        await capture(wire, account_id, held, 1, over_hold)
    else:
        done = await capture(wire, account_id, held, asked, over_hold)
        amounts = (done.captured_microcredits // CREDIT, done.uncollected_microcredits // CREDIT)
        assert amounts == (charged, asked - charged)
        assert await sums(wire, account_id) == left
    assert await figures(wire, account_id, held) == (EXPIRED, 100, 0, 100), "its figures stay"
    assert await refused(capture(wire, account_id, held, 1, UP_TO_HOLD)) == CLOSED


async def test_after_the_grace_nothing_is_captured_any_more(product, new_account, shift):
    _, wire = product
    account_id = new_account()
    await grant(wire, account_id, 100)
    held = await hold(wire, account_id, 100)
    shift[0] = 10 * MINUTE_US
    assert await refused(release(wire, account_id, held)) == LATE
    assert await refused(extend(wire, account_id, held, 1)) == LATE
    await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="asked")
    assert await refused(capture(wire, account_id, held, 1)) == FROZEN, "a late capture is as any deduction"
    await wire.do("FreezeAccount", account_id=account_id, frozen=False, reason="asked")
    shift[0] = 25 * MINUTE_US
    assert await refused(capture(wire, account_id, held, 1)) == LATE


async def test_a_replay_of_a_hold_says_that_it_has_ended(product, new_account, shift):
    stack, wire = product
    account_id = new_account()
    await grant(wire, account_id, 100)
    fields = {"account_id": account_id, "amount_microcredits": 40 * CREDIT, "idempotency_key": "call-1"}
    first = await wire.call("HoldCredits", **fields)
    again = await wire.call("HoldCredits", **fields)
    assert (again.hold, again.replayed) == (first.hold, True)
    async with AsyncBillingClient(stack.service.address, plaintext=True) as client:
        assert (await client.hold_credits(**fields)).replayed
        shift[0] = 10 * MINUTE_US
        later = await wire.call("HoldCredits", **fields)
        assert (later.hold.state, later.replayed) == (OPEN, True), "as it was"
        assert later.server_time.ToMicroseconds() >= later.hold.expire_time.ToMicroseconds()
        with pytest.raises(HoldExpired) as caught:
            await client.hold_credits(**fields)
        assert caught.value.metadata == {"hold_id": first.hold.hold_id}


async def test_a_bonus_under_a_hold_does_not_survive_the_refund_of_what_earned_it(product, new_account):
    """1,000 bonus credits under a hold, the purchase refunded, the hold released: the bonus was back for good. What was
    taken in its stead comes back instead."""
    stack, wire = product
    referrer, buyer = new_account("referrer"), new_account("buyer")
    await wire.do("CreateAccount", account_id=referrer)
    code = (await wire.call("GetReferral", account_id=referrer)).referral_code
    await wire.do("ApplyReferral", account_id=buyer, referral_code=code)
    bought = await stack.buy(buyer)
    assert await sums(wire, buyer) == (2000, 0, 0, 0)
    held = await hold(wire, buyer, 1000)
    await wire.do("Refund", purchase_id=bought.purchase_id, policy=2)
    assert await sums(wire, buyer) == (0, 1000, 0, 1000), "what is held counts as spent"
    await release(wire, buyer, held)
    assert await sums(wire, buyer) == (0, 0, 0, 0), "the bonus went back, and nothing is owed for it"
    await stack.webhooks()


async def test_thousands_of_ended_holds_are_booked_a_few_at_a_time(product, new_account, shift, monkeypatch):
    stack, wire = product
    monkeypatch.setattr("billing_service.storage.rows.hold_reading.ENDED_HOLDS_MAX", 3)
    account_id = new_account()
    await grant(wire, account_id, 10)
    for _ in range(8):
        await hold(wire, account_id, 1)
    shift[0] = 10 * MINUTE_US
    assert await sums(wire, account_id) == (10, 0, 0, 0)
    assert await refused(deduct(wire, account_id, 11)) == SHORT
    assert await sweep_expired(stack.service.environment) >= 1
    assert await sweep_expired(stack.service.environment) == 0
    await deduct(wire, account_id, 10)
