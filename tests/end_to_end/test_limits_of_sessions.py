"""Sessions and spend limits: what a session holds counts for its spenders, and a limit stops it in its own name."""

import pytest
from billing_client.errors import IdempotencyKeyReused, SpendLimitReached

from tests.end_to_end.test_batches_of_deductions import rich
from tests.support.metered import Metered, cost, tokens
from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAY, MONTH, NONE = 1, 2, 3
LIMIT_STOPS, CREDITS_STOP = 4, 1
FOUR = ["team", "member", "agent", "tool"]


async def limited(wire, account_id, amount, window=DAY, spender_id=""):
    fields = {"window": window, "limit_microcredits": amount}
    return await wire.do("SetSpendLimit", account_id=account_id, spender_id=spender_id, **fields)


async def used(wire, account_id):
    limits = (await wire.call("GetAccount", account_id=account_id)).spend_limits
    return {each.spender_id: each.used_microcredits for each in limits}


async def test_what_a_session_holds_counts_for_each_of_its_spenders(wire, new_account):
    account_id = await rich(wire, new_account())
    for spender_id in ["", *FOUR, "stranger"]:
        await limited(wire, account_id, 100 * CREDIT, NONE, spender_id)
    session = Metered(wire)
    opened = await session.open(account_id, slice_microcredits=CREDIT, spender_ids=FOUR)
    assert opened.left_microcredits == 100 * CREDIT, "the limits let through less than the account has"
    assert await used(wire, account_id) == dict.fromkeys(["", *FOUR], CREDIT) | {"stranger": 0}
    hold = (await wire.call("GetHold", account_id=account_id, hold_id=opened.session_id)).hold
    assert list(hold.spender_ids) == FOUR
    await session.tick(1, tokens(0, 3_000))
    session.cut()
    resumed = Metered(wire)
    assert (await resumed.resume(account_id, opened))[0] == "opened"
    grown = await used(wire, account_id)
    assert grown["tool"] >= cost(0, 3_000), "what the hold grew by counts as well"
    assert grown == dict.fromkeys(["", *FOUR], grown["tool"]) | {"stranger": 0}
    assert (await resumed.tick(2, tokens(0, 4_000))).left_microcredits <= 100 * CREDIT - cost(0, 4_000)
    closed = await resumed.close(usage=tokens(0, 3_500))
    assert await used(wire, account_id) == dict.fromkeys(["", *FOUR], cost(0, 3_500)) | {"stranger": 0}
    undone = {"account_id": account_id, "transaction_id": closed.transaction_id}
    await wire.do("ReverseDeduction", **undone, amount_microcredits=CREDIT)
    assert (await used(wire, account_id))["tool"] == cost(0, 3_500) - CREDIT


async def test_the_limit_that_stops_a_session_is_named(wire, new_account):
    account_id = await rich(wire, new_account())
    await limited(wire, account_id, 9 * CREDIT, NONE)
    await limited(wire, account_id, 2 * CREDIT, MONTH, "agent")
    await limited(wire, account_id, 2 * CREDIT, DAY, "agent")
    session = Metered(wire)
    await session.open(account_id, slice_microcredits=CREDIT, spender_ids=FOUR)
    await session.send(tick={"sequence": 1, "usage": tokens(0, 3_000)})
    stop, _ = await session.told("stop")
    assert stop.reason == LIMIT_STOPS
    shown = stop.spend_limit
    assert (shown.spender_id, shown.window, shown.limit_microcredits) == ("agent", DAY, 2 * CREDIT)
    assert (shown.used_microcredits, shown.left_microcredits) == (2 * CREDIT, 0)
    assert shown.reset_time.seconds % 86_400 == 0
    closed = await session.close()
    assert closed.charged_microcredits == 2 * CREDIT
    assert closed.uncollected_microcredits == cost(0, 3_000) - 2 * CREDIT


async def test_where_the_credits_end_first_no_limit_is_named(wire, new_account):
    account_id = await rich(wire, new_account(), 2)
    await limited(wire, account_id, 2 * CREDIT)
    session = Metered(wire)
    await session.open(account_id, slice_microcredits=CREDIT)
    await session.send(tick={"sequence": 1, "usage": tokens(0, 3_000)})
    stop, _ = await session.told("stop")
    assert (stop.reason, stop.HasField("spend_limit")) == (CREDITS_STOP, False)
    await session.close()


async def test_a_limit_that_somebody_else_uses_up_stops_a_session(wire, new_account):
    account_id = await rich(wire, new_account())
    await limited(wire, account_id, 5 * CREDIT, NONE, "team")
    session = Metered(wire)
    await session.open(account_id, slice_microcredits=CREDIT, spender_ids=["team"])
    await session.tick(1, tokens(0, 100))
    await wire.do("DeductCredits", account_id=account_id, amount_microcredits=4 * CREDIT, spender_ids=["team"])
    await session.send(tick={"sequence": 2, "usage": tokens(0, 2_000)})
    stop, _ = await session.told("stop")
    assert (stop.reason, stop.spend_limit.spender_id, stop.spend_limit.left_microcredits) == (LIMIT_STOPS, "team", 0)
    assert (await session.close()).charged_microcredits == CREDIT


async def test_a_limit_without_room_for_the_least_refuses_an_opening(wire, new_account):
    account_id = await rich(wire, new_account())
    await limited(wire, account_id, 1, NONE, "agent")
    with pytest.raises(SpendLimitReached) as refused:
        await Metered(wire).open(account_id, estimate=tokens(1_000, 500), spender_ids=["agent"])
    assert refused.value.metadata["spender_id"] == "agent"
    assert (await wire.call("GetBalance", account_id=account_id)).balance.held_microcredits == 0
    session = Metered(wire)
    await session.open(account_id, estimate=tokens(1_000, 500), spender_ids=["other"])
    await session.close("REFUSED")


async def test_spenders_belong_to_what_an_opening_means(wire, new_account):
    account_id = await rich(wire, new_account())
    fields = {"slice_microcredits": CREDIT, "idempotency_key": "the-call", "spender_ids": ["a", "b"]}
    opened = await Metered(wire).open(account_id, **fields)
    assert (await Metered(wire).open(account_id, **fields)).session_id == opened.session_id
    with pytest.raises(IdempotencyKeyReused):
        await Metered(wire).open(account_id, **fields | {"spender_ids": ["b", "a"]})
