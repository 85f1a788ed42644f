"""Spend limits over a real socket: what they refuse, what they let through, what counts and where."""

import pytest
import pytest_asyncio

from tests.end_to_end.money import ALLOW_DEBT, UP_TO_AVAILABLE, deduct, grant, undo
from tests.support.stack import CREDIT
from tests.support.wire import key

pytestmark = pytest.mark.asyncio(loop_scope="session")

DAY, MONTH, NONE = 1, 2, 3
TEAM = "team"


async def limited(wire, account_id, credits_, window=DAY, spender_id=""):
    sent = {} if credits_ is None else {"limit_microcredits": credits_ * CREDIT}
    return await wire.do("SetSpendLimit", account_id=account_id, spender_id=spender_id, window=window, **sent)


async def used(wire, account_id):
    """Used credits of each limit."""
    limits = (await wire.call("GetAccount", account_id=account_id)).spend_limits
    return {(each.spender_id, each.window): each.used_microcredits // CREDIT for each in limits}


async def refused(wire, account_id, credits_, **options):
    fields = {"account_id": account_id, "amount_microcredits": credits_ * CREDIT, "idempotency_key": key()}
    return await wire.error("DeductCredits", **fields, **options)


@pytest_asyncio.fixture(loop_scope="session")
async def account_id(wire, new_account):
    made = new_account()
    await grant(wire, made, 1_000)
    return made


async def test_a_limit_refuses_what_has_no_room_and_says_which(wire, account_id):
    await limited(wire, account_id, 10, MONTH)
    await limited(wire, account_id, 5, DAY, TEAM)
    await deduct(wire, account_id, 4, spender_ids=[TEAM, "agent"])
    team = await refused(wire, account_id, 2, spender_ids=["agent", TEAM])
    assert team.reason == "SPEND_LIMIT_REACHED"
    assert team.metadata | {"reset_time": ""} == {
        "spender_id": TEAM,
        "window": "DAY",
        "left_microcredits": str(CREDIT),
        "reset_time": "",
    }
    assert team.metadata["reset_time"].endswith("T00:00:00Z")
    both = await refused(wire, account_id, 7, spender_ids=[TEAM])
    assert (both.metadata["spender_id"], both.metadata["window"]) == ("", "MONTH"), "the account's comes first"
    await deduct(wire, account_id, 6)
    assert (await refused(wire, account_id, 1)).metadata["left_microcredits"] == "0"
    assert await used(wire, account_id) == {("", MONTH): 10, (TEAM, DAY): 4}


async def test_up_to_available_takes_the_room_and_debt_goes_past_it(wire, account_id):
    await limited(wire, account_id, 10, NONE)
    taken = await deduct(wire, account_id, 30, UP_TO_AVAILABLE)
    assert taken.deducted_microcredits == 10 * CREDIT
    assert (await deduct(wire, account_id, 5, UP_TO_AVAILABLE)).deducted_microcredits == 0
    await deduct(wire, account_id, 7, ALLOW_DEBT)
    assert await used(wire, account_id) == {("", NONE): 17}
    (limit,) = (await wire.call("GetAccount", account_id=account_id)).spend_limits
    assert (limit.left_microcredits, limit.HasField("reset_time")) == (0, False)


async def test_a_limit_counts_from_when_it_is_set_and_a_change_keeps_what_is_used(wire, account_id):
    await deduct(wire, account_id, 50)
    await limited(wire, account_id, 10)
    await deduct(wire, account_id, 8)
    await limited(wire, account_id, 5)
    assert await used(wire, account_id) == {("", DAY): 8}
    assert (await refused(wire, account_id, 1)).reason == "SPEND_LIMIT_REACHED"
    await limited(wire, account_id, 9)
    await deduct(wire, account_id, 1)
    assert not (await limited(wire, account_id, None)).spend_limits
    await deduct(wire, account_id, 100)
    await limited(wire, account_id, 10)
    assert await used(wire, account_id) == {("", DAY): 0}


async def test_a_reversal_gives_back_where_its_charge_counted(wire, account_id):
    before = await deduct(wire, account_id, 3, spender_ids=[TEAM])
    for spender_id in ("", TEAM):
        await limited(wire, account_id, 10, NONE, spender_id)
    charge = await deduct(wire, account_id, 6, spender_ids=[TEAM, "agent"])
    alone = await deduct(wire, account_id, 2)
    await undo(wire, account_id, before)
    assert await used(wire, account_id) == {("", NONE): 8, (TEAM, NONE): 6}
    await undo(wire, account_id, charge, amount_microcredits=4 * CREDIT)
    assert await used(wire, account_id) == {("", NONE): 4, (TEAM, NONE): 2}
    await undo(wire, account_id, alone)
    assert await used(wire, account_id) == {("", NONE): 2, (TEAM, NONE): 2}


async def test_a_hold_counts_whole_and_what_it_gives_back_is_taken_off(wire, account_id):
    await limited(wire, account_id, 10, NONE)
    await limited(wire, account_id, 8, NONE, TEAM)
    fields = {"account_id": account_id, "amount_microcredits": 7 * CREDIT, "spender_ids": [TEAM]}
    hold = (await wire.do("HoldCredits", **fields)).hold
    assert list(hold.spender_ids) == [TEAM]
    assert await used(wire, account_id) == {("", NONE): 7, (TEAM, NONE): 7}
    assert (await wire.error("HoldCredits", **fields, idempotency_key=key())).reason == "SPEND_LIMIT_REACHED"
    named = {"account_id": account_id, "hold_id": hold.hold_id}
    await wire.do("CaptureHold", **named, amount_microcredits=2 * CREDIT, final=False)
    assert await used(wire, account_id) == {("", NONE): 7, (TEAM, NONE): 7}
    captured = await wire.do("CaptureHold", **named, amount_microcredits=CREDIT)
    assert await used(wire, account_id) == {("", NONE): 3, (TEAM, NONE): 3}
    await undo(wire, account_id, captured)
    assert await used(wire, account_id) == {("", NONE): 2, (TEAM, NONE): 2}
    other = (await wire.do("HoldCredits", **fields | {"amount_microcredits": 4 * CREDIT})).hold
    await wire.do("ReleaseHold", account_id=account_id, hold_id=other.hold_id)
    assert await used(wire, account_id) == {("", NONE): 2, (TEAM, NONE): 2}


async def test_batches_and_streams_share_one_limit(wire, account_id):
    await limited(wire, account_id, 5, DAY, TEAM)
    charge = {"account_id": account_id, "amount_microcredits": 2 * CREDIT, "spender_ids": [TEAM]}
    answer = await wire.call("BatchDeductCredits", deductions=[charge | {"idempotency_key": key()} for _ in range(4)])
    assert [each.HasField("deducted") for each in answer.outcomes] == [True, True, False, False]
    assert await used(wire, account_id) == {(TEAM, DAY): 4}


async def test_one_key_more_than_a_limit_allows(wire, account_id, monkeypatch):
    monkeypatch.setattr("billing_service.commands.spending.set_spend_limit.LIMITS_MAX", 2)
    await limited(wire, account_id, 1, DAY)
    await limited(wire, account_id, 1, DAY, TEAM)
    fields = {"account_id": account_id, "window": MONTH, "limit_microcredits": 1, "idempotency_key": key()}
    assert (await wire.error("SetSpendLimit", **fields)).reason == "TOO_MANY_SPEND_LIMITS"
    await limited(wire, account_id, 2, DAY)
    await limited(wire, account_id, None, DAY, TEAM)
    await limited(wire, account_id, 2, MONTH)
