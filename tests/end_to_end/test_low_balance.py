"""Thresholds of low balances over a real socket: set, shown, removed, and told once for each fall, whoever made it."""

import pytest
import pytest_asyncio

from billing_service.clock import system_clock_us
from billing_service.domain.ledger.events import EventKind
from billing_service.jobs.expiry import sweep_expired
from tests.end_to_end.holding import hold, release
from tests.end_to_end.money import deduct, grant, undo
from tests.end_to_end.test_business_events import events
from tests.end_to_end.test_watch_balance import MINUTE_US, NOBODY_SWEEPS, rfc
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, key

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def threshold(wire, account_id, credits_):
    answer = await wire.do("UpdateAccount", account_id=account_id, low_balance_microcredits=credits_ * CREDIT)
    assert answer.account.low_balance_microcredits == credits_ * CREDIT
    shown = (await wire.call("GetAccount", account_id=account_id)).account
    assert shown.low_balance_microcredits == credits_ * CREDIT


async def told(stack, account_id):
    """What was available each time, in credits."""
    found = await events(stack, account_id)
    return [detail["available_microcredits"] // CREDIT for kind, _, _, detail in found if kind is EventKind.LOW_BALANCE]


async def test_each_fall_is_told_once_whatever_made_it(stack, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 101)
    await deduct(wire, account_id, 1)  # which caches the account
    await threshold(wire, account_id, 50)
    assert await told(stack, account_id) == [], "setting it makes no event"
    await deduct(wire, account_id, 50)
    assert await told(stack, account_id) == [], "as much as the threshold is not less"
    first = await deduct(wire, account_id, 1)
    await deduct(wire, account_id, 1)
    assert await told(stack, account_id) == [49]
    (event,) = [each for each in await events(stack, account_id) if each[0] is EventKind.LOW_BALANCE]
    assert event[2] == first.transaction_id
    assert event[3]["low_balance_microcredits"] == 50 * CREDIT
    await undo(wire, account_id, first)
    await grant(wire, account_id, 1)
    held = await hold(wire, account_id, 5)
    assert await told(stack, account_id) == [49, 45]
    await release(wire, account_id, held)
    await wire.do("AdjustCredits", account_id=account_id, amount_microcredits=-CREDIT, reason="wrong")
    assert await told(stack, account_id) == [49, 45, 49]
    charges = [{"account_id": account_id, "amount_microcredits": CREDIT, "idempotency_key": key()} for _ in range(3)]
    await grant(wire, account_id, 3)
    await wire.call("BatchDeductCredits", deductions=charges)
    assert await told(stack, account_id) == [49, 45, 49, 49]
    await threshold(wire, account_id, 0)
    await grant(wire, account_id, 10)
    await deduct(wire, account_id, 30)
    assert await told(stack, account_id) == [49, 45, 49, 49]


async def test_a_refund_s_credits_are_gone_at_once(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    await threshold(wire, account_id, 900)
    await wire.do("Refund", purchase_id=bought.purchase_id, amount_minor=200)
    await stack.webhooks()
    assert await told(stack, account_id) == [800]


async def test_a_limit_and_a_threshold_do_not_disturb_each_other(stack, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 100)
    await deduct(wire, account_id, 1)
    await threshold(wire, account_id, 50)
    await deduct(wire, account_id, 1, spender_ids=["agent"])
    await wire.do("SetSpendLimit", account_id=account_id, window=1, limit_microcredits=60 * CREDIT)
    await deduct(wire, account_id, 58)
    assert await told(stack, account_id) == [40]
    refused = await wire.refusal(
        "DeductCredits", account_id=account_id, amount_microcredits=3 * CREDIT, idempotency_key="over"
    )
    assert refused == ("FAILED_PRECONDITION", "SPEND_LIMIT_REACHED")


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


async def test_what_expires_is_told_by_whoever_comes_first(product, new_account, shift):
    stack, wire = product
    swept, spent = new_account(), new_account()
    for account_id in (swept, spent):
        await grant(wire, account_id, 60, expire_time=rfc(20))
        await grant(wire, account_id, 40)
        await threshold(wire, account_id, 50)
    shift[0] = 30 * MINUTE_US
    await deduct(wire, spent, 1)
    assert await told(stack, spent) == [39]
    await sweep_expired(stack.service.environment)
    await deduct(wire, swept, 1)
    assert (await told(stack, swept), await told(stack, spent)) == ([40], [39])


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_a_threshold_set_by_another_process_counts_at_once(product, database, new_account):
    stack, wire = product
    account_id = new_account()
    await grant(wire, account_id, 100)
    await deduct(wire, account_id, 1)
    async with running_stack(database.url, **NOBODY_SWEEPS) as other, Wire(other.service.address) as there:
        await threshold(there, account_id, 50)
    await deduct(wire, account_id, 60)
    assert await told(stack, account_id) == [39]
