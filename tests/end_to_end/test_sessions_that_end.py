"""Sessions whose owner is gone: the hold's end charges what was acknowledged, and a late close is absolute."""

import asyncio

import pytest
import pytest_asyncio
from billing_client.errors import HoldExpired, IdempotencyKeyReused, StorageUnavailable
from google.protobuf.duration_pb2 import Duration

from billing_service.domain.ledger.events import EventKind
from billing_service.domain.refusals import storage_unavailable
from billing_service.ledger.operations.sessions import CloseSession
from tests.end_to_end.leaping_clock import LeapingClock
from tests.end_to_end.test_batches_of_deductions import left, rich
from tests.end_to_end.test_business_events import events
from tests.support.doubles import DAY_US, SECOND_US
from tests.support.metered import Metered, cost, tokens
from tests.support.patience import PATIENCE_S
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRACE_S = 600
DEDUCTION = 3


@pytest.fixture
def clock(monkeypatch):
    return LeapingClock().rule(monkeypatch)


@pytest_asyncio.fixture(loop_scope="session")
async def running(database, clock):
    """A connection to a service whose clock the test moves, and the ledger's writer."""
    assert clock.off_us == 0
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack, Wire(stack.service.address) as raw:
        yield raw, stack.service.environment.writer, stack
        assert not (await stack.client.verify_ledger()).differences


@pytest.fixture
def wire(running):
    return running[0]


async def abandoned(wire, account_id, *usages, **fields):
    """What was opened, of a session whose stream broke after its ticks were acknowledged."""
    session = Metered(wire)
    opened = await session.open(account_id, grace=Duration(seconds=GRACE_S), **fields)
    for sequence, usage in enumerate(usages, 1):
        await session.tick(sequence, usage)
    session.cut()
    return opened


async def test_what_was_acknowledged_is_charged_when_the_grace_is_over(wire, clock, new_account):
    account_id = await rich(wire, new_account(), 10)
    opened = await abandoned(wire, account_id, tokens(500), tokens(500, 20))
    clock.off_us += (GRACE_S - 60) * SECOND_US
    assert (await wire.call("GetBalance", account_id=account_id)).balance.held_microcredits == CREDIT
    clock.off_us += 120 * SECOND_US
    shown = (await wire.call("GetBalance", account_id=account_id)).balance
    assert (shown.available_microcredits, shown.held_microcredits) == (10 * CREDIT - cost(500, 20), 0)
    await wire.do("DeductCredits", account_id=account_id, amount_microcredits=1)
    assert await left(wire, account_id) == 10 * CREDIT - cost(500, 20) - 1
    late = Metered(wire)
    what, _ = await late.resume(account_id, opened)
    assert what == "opened"
    with pytest.raises(HoldExpired):
        await late.tick(9, tokens(900))


async def charges(wire, account_id):
    """Receipts of what was charged, the newest first."""
    lines = (await wire.call("ListTransactions", account_id=account_id, kind=DEDUCTION)).transactions
    named = [{"account_id": account_id, "transaction_id": line.transaction_id} for line in lines]
    return [(await wire.call("GetReceipt", **each)).receipt for each in named]


async def test_what_the_end_of_a_hold_charged_is_explained(wire, clock, new_account):
    account_id = await rich(wire, new_account(), 10)
    await abandoned(wire, account_id, tokens(500, 40), tokens(500, 20), slice_microcredits=2 * CREDIT)
    clock.off_us += (GRACE_S + 60) * SECOND_US
    await wire.do("GrantCredits", account_id=account_id, amount_microcredits=1, reason="somebody comes")
    (receipt,) = await charges(wire, account_id)
    assert [line.quantity for line in receipt.price.lines] == [500, 40], "of the tick that cost most"
    assert receipt.charged_microcredits == receipt.price.amount_microcredits == cost(500, 40)
    assert (receipt.model, receipt.uncollected_microcredits) == ("gpt-5", 0)


async def test_a_usage_without_a_price_is_charged_and_told_when_its_hold_ends(running, wire, clock, new_account):
    account_id = await rich(wire, new_account(), 10)
    unpriced = tokens(500, 20, service_tier="scale")
    await abandoned(wire, account_id, unpriced, slice_microcredits=CREDIT)
    clock.off_us += (GRACE_S + 60) * SECOND_US
    assert (await wire.call("GetBalance", account_id=account_id)).balance.available_microcredits == 9 * CREDIT
    await wire.do("GrantCredits", account_id=account_id, amount_microcredits=1, reason="somebody comes")
    (receipt,) = await charges(wire, account_id)
    assert (list(receipt.price.missing), receipt.measurement) == (["service_tier scale"], 2)
    assert receipt.charged_microcredits == receipt.price.amount_microcredits == CREDIT
    ((kind, _, subject, detail),) = await events(running[2], account_id)
    assert (kind, subject) == (EventKind.UNPRICED_USAGE, receipt.transaction_id)
    assert (detail["missing"], detail["charged_microcredits"]) == ("service_tier scale", CREDIT)


LATE = [((500, 900), cost(500, 900)), ((500, 20), cost(500, 20)), ((500, 1), cost(500, 1)), ((1, 0), cost(1))]


@pytest.mark.parametrize(("used", "charged"), LATE)
async def test_a_late_close_charges_the_difference(wire, clock, new_account, used, charged):
    account_id = await rich(wire, new_account(), 10)
    opened = await abandoned(wire, account_id, tokens(500, 20), slice_microcredits=2 * CREDIT)
    clock.off_us += (GRACE_S + 60) * SECOND_US
    late = Metered(wire)
    await late.resume(account_id, opened)
    closed = await late.close(usage=tokens(*used))
    assert closed.charged_microcredits == charged
    assert await left(wire, account_id) == 10 * CREDIT - charged
    late_receipt, *_, of_the_end = await charges(wire, account_id)
    assert late_receipt.transaction_id == closed.transaction_id
    assert late_receipt.price == closed.price
    before = min(cost(500, 20), charged)
    assert late_receipt.charged_before_microcredits == before
    assert late_receipt.charged_microcredits == late_receipt.amount_microcredits == charged - before
    assert of_the_end.charged_microcredits - of_the_end.reversed_microcredits == before
    again = Metered(wire)
    await again.resume(account_id, opened)
    assert await again.close(usage=tokens(9)) == closed, "it was closed, and says so"
    assert await left(wire, account_id) == 10 * CREDIT - charged


async def test_another_close_is_refused_after_one_that_gave_back_and_broke(running, clock, new_account, monkeypatch):
    wire, writer, _ = running
    account_id = await rich(wire, new_account(), 10)
    opened = await abandoned(wire, account_id, tokens(500, 40), slice_microcredits=2 * CREDIT)
    clock.off_us += (GRACE_S + 60) * SECOND_US
    submit = writer.submit

    async def breaks(operation):
        if isinstance(operation, CloseSession):
            raise storage_unavailable()
        return await submit(operation)

    late = Metered(wire)
    await late.resume(account_id, opened)
    with monkeypatch.context() as broken:
        broken.setattr(writer, "submit", breaks)
        with pytest.raises(StorageUnavailable):
            await late.close(usage=tokens(500, 1))
    given_back = 10 * CREDIT - cost(500, 1)
    assert await left(wire, account_id) == given_back
    other = Metered(wire)
    await other.resume(account_id, opened)
    with pytest.raises(IdempotencyKeyReused):
        await other.close(usage=tokens(500, 20))
    assert await left(wire, account_id) == given_back
    again = Metered(wire)
    await again.resume(account_id, opened)
    assert (await again.close(usage=tokens(500, 1))).charged_microcredits == cost(500, 1)
    assert await left(wire, account_id) == given_back


async def test_a_living_session_outlives_its_grace_and_is_stopped_after_a_day(running, clock, new_account):
    wire, writer, _ = running
    account_id = await rich(wire, new_account(), 10)
    session = Metered(wire)
    opened = await session.open(account_id, grace=Duration(seconds=3_600))
    end_us, sequence = opened.end_time.ToMicroseconds(), 0
    while clock() < end_us - 3_600 * SECOND_US:
        clock.off_us += 1_800 * SECOND_US
        before = writer.counters.operations
        async with asyncio.timeout(PATIENCE_S):
            while writer.counters.operations == before:
                sequence += 1
                await session.tick(sequence, tokens(10))
        await wire.do("GrantCredits", account_id=account_id, amount_microcredits=1, reason="behind it")
        await wire.do("DeductCredits", account_id=account_id, amount_microcredits=1)
    clock.off_us += end_us - clock() - 30 * SECOND_US
    assert (await session.told("stop"))[0].reason == 3
    assert (await session.close()).charged_microcredits == cost(10)
    assert await left(wire, account_id) == 10 * CREDIT - cost(10)


async def test_a_session_goes_on_with_the_room_of_the_next_day(wire, clock, new_account):
    account_id = await rich(wire, new_account(), 10)
    midnight_us = (clock() // DAY_US + 1) * DAY_US
    clock.off_us += midnight_us - clock() - 60 * SECOND_US
    limit = {"window": "SPEND_WINDOW_DAY", "limit_microcredits": 2 * CREDIT, "spender_id": "agent"}
    await wire.do("SetSpendLimit", account_id=account_id, **limit)
    session = Metered(wire)
    fields = {"slice_microcredits": CREDIT, "grace": Duration(seconds=GRACE_S), "spender_ids": ["agent"]}
    opened = await session.open(account_id, **fields)
    await session.send(tick={"sequence": 1, "usage": tokens(0, 1_800)})
    stop, _ = await session.told("stop")
    assert (stop.reason, stop.spend_limit.reset_time.ToMicroseconds()) == (4, midnight_us)
    session.cut()
    clock.off_us += 120 * SECOND_US
    again = Metered(wire)
    what, resumed = await again.resume(account_id, opened)
    assert (what, resumed.held_microcredits) == ("opened", 2 * CREDIT)
    assert resumed.left_microcredits == 2 * CREDIT + 2 * CREDIT - cost(0, 1_800), "what is held, and the new day's room"
    assert (await again.tick(2, tokens(0, 3_000))).charged_microcredits == cost(0, 3_000)
    closed = await again.close(usage=tokens(0, 3_000))
    assert (closed.charged_microcredits, closed.uncollected_microcredits) == (cost(0, 3_000), 0)
    (shown,) = (await wire.call("GetAccount", account_id=account_id)).spend_limits
    assert cost(0, 3_000) - 2 * CREDIT <= shown.used_microcredits <= 2 * CREDIT, "what it held before counted before"
