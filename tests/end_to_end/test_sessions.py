"""MeterSession over a real socket: a call from its first tick to its close, the end of the money, the outcomes."""

import asyncio

import pytest
from billing_client.errors import InsufficientCredits

from tests.end_to_end.test_batches_of_deductions import left, rich
from tests.support.metered import Metered, cost, tokens
from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")

FLEX = {"service_tier": "scale"}


async def balance(wire, account_id):
    """As answers to changes have it, which go without its time."""
    shown = (await wire.call("GetBalance", account_id=account_id)).balance
    shown.ClearField("as_of_time")
    return shown


async def test_a_call_from_its_first_tick_to_its_close(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    opened = await session.open(account_id, estimate=tokens(1_000, 500))
    assert opened.held_microcredits == cost(1_000, 500)
    assert (await balance(wire, account_id)).held_microcredits == cost(1_000, 500)
    assert opened.left_microcredits == 1_000 * CREDIT
    first = await session.tick(1, tokens(1_000, 10))
    assert (first.sequence, first.charged_microcredits) == (1, cost(1_000, 10))
    fewer = await session.tick(2, tokens(900, 10))
    assert (fewer.sequence, fewer.charged_microcredits) == (2, cost(1_000, 10))
    again = await session.tick(1, tokens(9_999, 10))
    assert (again.sequence, again.charged_microcredits) == (2, cost(1_000, 10))
    more = await session.tick(7, tokens(1_000, 5_000))
    assert more.charged_microcredits == cost(1_000, 5_000)
    closed = await session.close(usage=tokens(1_000, 4_000))
    assert closed.charged_microcredits == closed.price.amount_microcredits == cost(1_000, 4_000)
    assert closed.uncollected_microcredits == 0
    after = await balance(wire, account_id)
    assert closed.balance == after
    assert (after.held_microcredits, after.available_microcredits) == (0, 1_000 * CREDIT - cost(1_000, 4_000))
    assert await left(wire, account_id) == 1_000 * CREDIT - cost(1_000, 4_000)
    closed_again = Metered(wire)
    what, stored = await closed_again.resume(account_id, opened)
    assert (what, stored) == ("closed", closed), "after its close a session answers as its close did"


async def test_a_session_takes_what_the_account_has_and_never_more(wire, new_account):
    account_id = await rich(wire, new_account(), 3)
    session = Metered(wire)
    opened = await session.open(account_id, slice_microcredits=CREDIT)
    assert opened.left_microcredits == 3 * CREDIT
    told = []
    for sequence in range(1, 40):
        await session.send(tick={"sequence": sequence, "usage": tokens(0, sequence * 100)})
    while "stop" not in [what for what, _ in told]:
        told.append(await session.says())
    acknowledged = [message for what, message in told if what == "acknowledged"]
    assert all(message.left_microcredits >= 0 for message in acknowledged)
    kinds = [what for what, _ in told if what != "acknowledged"]
    assert kinds == ["low", "stop"]
    assert told[-1][1].reason == 1
    assert (await balance(wire, account_id)).available_microcredits == 0
    closed = await session.close()
    assert closed.charged_microcredits == 3 * CREDIT
    assert closed.uncollected_microcredits == cost(0, 3_900) - 3 * CREDIT
    assert await left(wire, account_id) == 0


async def test_what_is_acknowledged_is_held_at_once(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    await session.open(account_id, slice_microcredits=CREDIT)
    for sequence in range(1, 11):
        answer = await session.tick(sequence, tokens(0, sequence * 5_000))
        held = (await balance(wire, account_id)).held_microcredits
        assert held >= answer.charged_microcredits == cost(0, sequence * 5_000)
    await session.close()


async def test_a_frozen_account_s_sessions_are_stopped(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    await session.open(account_id)
    await session.tick(1, tokens(100))
    await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="check")
    stop, _ = await session.told("stop")
    assert stop.reason == 2
    assert (await session.tick(2, tokens(9_000, 100))).sequence == 2, "what happened is still acknowledged"
    closed = await session.close()
    assert closed.charged_microcredits + closed.uncollected_microcredits == cost(9_000, 100)
    assert closed.charged_microcredits == CREDIT, "all of the hold, and nothing above it"


async def receipt_of(wire, account_id, transaction_id):
    return (await wire.call("GetReceipt", account_id=account_id, transaction_id=transaction_id)).receipt


OUTCOMES = [
    ("COMPLETE", True, "STREAMED", "MEASURED"),
    ("REFUSED", True, "RELEASE", "MEASURED"),
    ("RATE_LIMITED", False, "RELEASE", "ESTIMATED"),
    ("PROVIDER_FAILED", False, "RELEASE", "ESTIMATED"),
    ("TIMED_OUT", False, "RELEASE", "ESTIMATED"),
    ("CUT", True, "STREAMED", "ESTIMATED"),
    ("CUT", False, "STREAMED", "ESTIMATED"),
    ("ENDED_EARLY", True, "STREAMED", "ESTIMATED"),
    ("CANCELED", True, "STREAMED", "ESTIMATED"),
    ("EMPTY", True, "INPUT", "MEASURED"),
    ("FILTERED", True, "INPUT", "MEASURED"),
    ("STOPPED_BY_LENGTH", True, "STREAMED", "MEASURED"),
    ("COMPLETE_WITHOUT_USAGE", False, "STREAMED", "ESTIMATED"),
    ("RETRIED", True, "STREAMED", "MEASURED"),
]


@pytest.mark.parametrize("case", OUTCOMES)
async def test_each_outcome_has_its_policy(wire, new_account, case):
    outcome, named, charge, measurement = case
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    await session.open(account_id)
    await session.tick(1, tokens(700, 30))
    closed = await session.close(outcome, usage=tokens(800, 40) if named else None)
    whole = (800, 40) if named else (700, 30)
    amount = {"RELEASE": 0, "INPUT": cost(whole[0]), "STREAMED": cost(*whole)}[charge]
    assert closed.charged_microcredits == amount
    assert (
        closed.charge
        == closed.DESCRIPTOR.fields_by_name["charge"].enum_type.values_by_name[f"SESSION_CHARGE_{charge}"].number
    )
    assert closed.measurement == {"MEASURED": 1, "ESTIMATED": 2}[measurement]
    assert await left(wire, account_id) == 1_000 * CREDIT - amount


async def test_a_usage_without_a_price_is_charged_as_it_was_acknowledged(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    await session.open(account_id)
    await session.tick(1, tokens(700, 30))
    unpriced = await session.tick(2, tokens(700, 60, **FLEX))
    assert (unpriced.missing, unpriced.charged_microcredits) == ("service_tier scale", cost(700, 30))
    closed = await session.close(usage=tokens(700, 90, **FLEX))
    assert (closed.charged_microcredits, list(closed.price.missing)) == (cost(700, 30), ["service_tier scale"])
    assert closed.measurement == 2
    receipt = await receipt_of(wire, account_id, closed.transaction_id)
    assert receipt.price == closed.price
    assert (receipt.model, receipt.service_tier, receipt.measurement) == ("gpt-5", "scale", 2)
    assert [line.quantity for line in receipt.price.lines] == [700, 90]
    assert (receipt.amount_microcredits, receipt.uncollected_microcredits) == (cost(700, 30), 0)


async def test_where_no_tick_had_a_price_all_of_the_hold_is_charged(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    opened = await session.open(account_id, estimate=tokens(700, 30))
    assert (await session.tick(1, tokens(700, 60, **FLEX))).charged_microcredits == 0
    closed = await session.close()
    assert closed.charged_microcredits == opened.held_microcredits == cost(700, 30)
    assert closed.price.amount_microcredits == cost(700, 30)
    assert await left(wire, account_id) == 1_000 * CREDIT - cost(700, 30)


async def test_a_usage_may_change_model_and_lines(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    await session.open(account_id)
    await session.tick(1, tokens(1_000, 30))
    other = tokens(1_000, 30, model="gpt-5-mini")
    cheaper = await session.tick(2, other)
    assert cheaper.charged_microcredits == cost(1_000, 30), "what is charged never falls before the close"
    closed = await session.close(usage=other)
    assert closed.charged_microcredits == closed.price.amount_microcredits == cost(1_000, 30) // 5


async def test_many_sessions_of_one_account_never_take_more_than_it_has(wire, new_account):
    account_id = await rich(wire, new_account(), 20)

    async def run(number):
        session = Metered(wire)
        try:
            opened = await session.open(account_id, slice_microcredits=CREDIT // 4)
        except InsufficientCredits:
            return 0, 0
        written = 0
        for sequence in range(1, 6):
            written = sequence * 97 + number
            if sequence == 3 and number % 3 == 0:
                session.cut()
                session = Metered(wire)
                what, resumed = await session.resume(account_id, opened)
                assert (what, resumed.sequence) == ("opened", 2)
            await session.tick(sequence, tokens(0, written))
        closed = await session.close()
        assert closed.charged_microcredits + closed.uncollected_microcredits == cost(0, written)
        return closed.charged_microcredits, closed.uncollected_microcredits

    done = await asyncio.gather(*(run(number) for number in range(60)), return_exceptions=True)
    assert not [each for each in done if isinstance(each, BaseException)]
    charged = sum(each[0] for each in done)
    after = await balance(wire, account_id)
    assert charged + after.available_microcredits == 20 * CREDIT
    assert (after.held_microcredits, after.debt_microcredits) == (0, 0)
    assert after.available_microcredits == 0 or not any(each[1] for each in done)


async def test_a_spend_limit_stops_a_session_and_refuses_no_close(wire, new_account):
    account_id = await rich(wire, new_account())
    limit = {"window": "SPEND_WINDOW_DAY", "limit_microcredits": 2 * CREDIT}
    await wire.do("SetSpendLimit", account_id=account_id, **limit)
    session = Metered(wire)
    await session.open(account_id, slice_microcredits=CREDIT)
    await session.send(tick={"sequence": 1, "usage": tokens(0, 3_000)})
    assert (await session.told("stop"))[0].reason == 4
    closed = await session.close()
    assert closed.charged_microcredits == 2 * CREDIT
    assert closed.uncollected_microcredits == cost(0, 3_000) - 2 * CREDIT
