"""What sessions are refused for: openings, requests out of order, wrong fields, strangers, second owners."""

import pytest
from billing_client.errors import (
    AccountFrozen,
    AccountNotFound,
    HoldNotFound,
    HoldOwned,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidField,
    PriceMissing,
    SessionTakenOver,
    UnknownModel,
)
from google.protobuf.duration_pb2 import Duration

from tests.end_to_end.test_batches_of_deductions import rich
from tests.support.metered import Metered, cost, tokens
from tests.support.stack import CREDIT

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def balance(wire, account_id):
    return (await wire.call("GetBalance", account_id=account_id)).balance


FLEX = {"service_tier": "scale"}
OPENINGS = [
    ({"account_id": ""}, InvalidField, "open.account_id"),
    ({"slice_microcredits": 0}, InvalidField, "open.slice_microcredits"),
    ({"slice_microcredits": -1}, InvalidField, "open.slice_microcredits"),
    ({"slice_microcredits": 10**15 + 1}, InvalidField, "open.slice_microcredits"),
    ({"grace": Duration(nanos=999_999_999)}, InvalidField, "open.grace"),
    ({"grace": Duration(seconds=3_601)}, InvalidField, "open.grace"),
    ({"idempotency_key": ""}, InvalidField, "idempotency_key"),
    ({"description": "x" * 501}, InvalidField, "open.description"),
    ({"estimate": {"provider": "openai", "model": "gpt-5"}}, InvalidField, "open.estimate.lines"),
    ({"estimate": tokens(1, model="gpt-6")}, UnknownModel, ""),
    ({"estimate": tokens(1, **FLEX)}, PriceMissing, ""),
    ({"account_id": "nobody"}, AccountNotFound, ""),
    ({"spender_ids": ["a", "a"]}, InvalidField, "open.spender_ids"),
    ({"spender_ids": ["a", ""]}, InvalidField, "open.spender_ids"),
    ({"spender_ids": ["x" * 129]}, InvalidField, "open.spender_ids"),
    ({"spender_ids": ["a", "b", "c", "d", "e"]}, InvalidField, "open.spender_ids"),
    ({"slice_microcredits": 1}, None, ""),
]


@pytest.mark.parametrize(("fields", "error", "field"), OPENINGS)
async def test_what_an_opening_is_refused_for(wire, new_account, fields, error, field):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    if error is None:
        assert (await session.open(account_id, **fields)).held_microcredits == 1
        session.cut()
        return
    with pytest.raises(error) as refused:
        await session.open(**{"account_id": account_id} | fields)
    assert refused.value.metadata.get("field", "") == field
    assert (await balance(wire, account_id)).held_microcredits == 0


async def test_an_account_that_has_too_little_opens_nothing(wire, new_account):
    account_id = await rich(wire, new_account(), 1)
    with pytest.raises(InsufficientCredits) as refused:
        await Metered(wire).open(account_id, estimate=tokens(10_000, 1))
    assert refused.value.metadata["required_microcredits"] == str(cost(10_000, 1))
    session = Metered(wire)
    opened = await session.open(account_id, estimate=tokens(100, 10_000))
    assert opened.held_microcredits == CREDIT, "less than the estimate, and more than its input and a token"
    await session.close("REFUSED")


async def test_a_frozen_account_opens_nothing(wire, new_account):
    account_id = await rich(wire, new_account())
    await wire.do("FreezeAccount", account_id=account_id, frozen=True, reason="check")
    with pytest.raises(AccountFrozen):
        await Metered(wire).open(account_id)


FIRST = [
    ({"tick": {"sequence": 1}}, "the first one opens or resumes a session"),
    ({"close": {"outcome": 1}}, "the first one opens or resumes a session"),
    ({}, "the first one opens or resumes a session"),
]


@pytest.mark.parametrize(("request_", "words"), FIRST)
async def test_a_stream_begins_with_its_session(wire, request_, words):
    session = Metered(wire)
    await session.send(**request_)
    with pytest.raises(InvalidField, match=words):
        await session.says()


LATER = [
    ({"open": {"account_id": "a"}}, "request"),
    ({"tick": {"sequence": 1}}, "tick.usage"),
    ({"tick": {"sequence": 0, "usage": tokens(1)}}, "tick.sequence"),
    ({"tick": {"sequence": 1, "usage": tokens()}}, "tick.usage.lines"),
    ({"close": {}}, "close.outcome"),
    ({"close": {"outcome": 99}}, "close.outcome"),
    ({"close": {"outcome": 1}}, "close.usage"),
    ({"close": {"outcome": 1, "usage": tokens(-1)}}, "close.usage.lines[0].quantity"),
]


@pytest.mark.parametrize(("request_", "field"), LATER)
async def test_what_is_wrong_ends_the_stream_and_not_the_session(wire, new_account, request_, field):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    opened = await session.open(account_id)
    await session.send(**request_)
    with pytest.raises(InvalidField) as refused:
        await session.told("closed")
    assert refused.value.metadata["field"] == field
    again = Metered(wire)
    what, _ = await again.resume(account_id, opened)
    assert what == "opened"
    assert (await again.close(usage=tokens(10))).charged_microcredits == cost(10)


async def test_who_has_no_token_owns_nothing(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    opened = await session.open(account_id)
    for fields, error in (
        ({"token": "0" * 48}, HoldOwned),
        ({"session_id": "ses_none"}, HoldNotFound),
        ({"token": ""}, InvalidField),
    ):
        stranger = Metered(wire)
        named = {"account_id": account_id, "session_id": opened.session_id, "token": opened.token} | fields
        await stranger.send(resume=named)
        with pytest.raises(error):
            await stranger.says()
    stranger = Metered(wire)
    await stranger.send(resume={"account_id": "nobody", "session_id": opened.session_id, "token": opened.token})
    with pytest.raises(AccountNotFound):
        await stranger.says()
    assert (await session.tick(1, tokens(1))).sequence == 1, "the owner goes on"
    await session.close()


async def test_a_second_owner_ends_the_first(wire, new_account):
    account_id = await rich(wire, new_account())
    fields = {"slice_microcredits": CREDIT, "idempotency_key": "the-call"}
    first = Metered(wire)
    opened = await first.open(account_id, **fields)
    await first.tick(3, tokens(500))
    second = Metered(wire)
    what, resumed = await second.resume(account_id, opened)
    assert (what, resumed.sequence, resumed.charged_microcredits) == ("opened", 3, cost(500))
    assert resumed.token != opened.token
    with pytest.raises(SessionTakenOver):
        await first.told("closed")
    third = Metered(wire)
    reopened = await third.open(account_id, **fields)
    assert (reopened.session_id, reopened.sequence) == (opened.session_id, 3), "a repeat of the opening takes over too"
    with pytest.raises(SessionTakenOver):
        await second.told("closed")
    with pytest.raises(HoldOwned):
        what, _ = await Metered(wire).resume(account_id, resumed)
    assert (await third.tick(4, tokens(600))).sequence == 4
    assert (await third.close()).charged_microcredits == cost(600)
    with pytest.raises(IdempotencyKeyReused):
        await Metered(wire).open(account_id, **fields | {"slice_microcredits": 7})


async def test_a_usage_that_a_session_charged_is_not_charged_again(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    await session.open(account_id, idempotency_key="once")
    await session.close(usage=tokens(10))
    deduction = {"account_id": account_id, "amount_microcredits": 5, "idempotency_key": "once"}
    assert await wire.refusal("DeductCredits", **deduction) == ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")
    other = await rich(wire, new_account())
    await wire.call("DeductCredits", **deduction | {"account_id": other})
    session = Metered(wire)
    await session.open(other, idempotency_key="once")
    with pytest.raises(IdempotencyKeyReused):
        await session.close(usage=tokens(10))


async def test_the_hold_of_a_session_is_its_owner_s(wire, new_account):
    account_id = await rich(wire, new_account())
    session = Metered(wire)
    opened = await session.open(account_id)
    held = {"account_id": account_id, "hold_id": opened.session_id, "idempotency_key": "k"}
    owned = ("FAILED_PRECONDITION", "HOLD_OWNED")
    assert await wire.refusal("CaptureHold", **held, amount_microcredits=1) == owned
    assert await wire.refusal("ReleaseHold", **held) == owned
    assert await wire.refusal("ExtendHold", **held, additional_microcredits=1) == owned
    read = await wire.call("GetHold", account_id=account_id, hold_id=opened.session_id)
    assert read.hold.amount_microcredits == CREDIT
    assert opened.token not in str(read)
    assert (await session.close(usage=tokens(10))).hold.captured_microcredits == cost(10)
