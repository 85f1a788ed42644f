"""Holds in batches and on streams: each as if it had come by itself, those of one account in their order."""

import grpc
import pytest
from billing_client import AsyncBillingClient, Deduction
from billing_client.errors import HoldClosed, HoldNotFound
from google.protobuf.json_format import ParseDict
from prepaid.billing.v1 import transactions_pb2

from tests.end_to_end.holding import CAPTURED, OPEN, RELEASED, hold, sums
from tests.end_to_end.money import grant
from tests.support.stack import CREDIT
from tests.support.wire import key, row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")


def operation(kind, account_id, **fields):
    sent = {"account_id": account_id, "idempotency_key": key()} | fields
    return {kind: sent}


async def ask(wire, way, operations):
    """The outcomes of operations, by a batch or one after the other by streams."""
    if way == "batch":
        return list((await wire.call("BatchDeductCredits", operations=operations)).outcomes)
    return [(await wire.call("StreamDeductions", operation=each)).outcome for each in operations]


def kinds(outcomes):
    return [outcome.WhichOneof("outcome") for outcome in outcomes]


@pytest.mark.parametrize("way", ["batch", "stream"])
async def test_each_kind_among_others_does_what_it_does_alone(wire, new_account, way):
    account_id = new_account()
    await grant(wire, account_id, 100)
    first, second = await hold(wire, account_id, 30), await hold(wire, account_id, 20)
    operations = [
        operation("hold", account_id, amount_microcredits=10 * CREDIT),
        operation("extend", account_id, hold_id=first, additional_microcredits=5 * CREDIT),
        operation("capture", account_id, hold_id=first, amount_microcredits=35 * CREDIT),
        operation("release", account_id, hold_id=second),
        operation("deduct", account_id, amount_microcredits=1 * CREDIT),
        operation("capture", account_id, hold_id="hold_none", amount_microcredits=1),
        {},
    ]
    outcomes = await ask(wire, way, operations)
    assert kinds(outcomes) == ["held", "extended", "captured", "released", "deducted", "refused", "refused"]
    assert outcomes[0].held.hold.state == OPEN
    assert outcomes[0].held.HasField("server_time")
    assert outcomes[2].captured.hold.state == CAPTURED
    assert outcomes[3].released.hold.state == RELEASED
    assert [outcome.refused.code for outcome in outcomes[5:]] == [
        grpc.StatusCode.NOT_FOUND.value[0],
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
    ]
    assert await sums(wire, account_id) == (54, 10, 0, 0)
    again = await ask(wire, way, operations[:5])
    assert kinds(again) == kinds(outcomes[:5])
    assert all(getattr(outcome, outcome.WhichOneof("outcome")).replayed for outcome in again)
    assert await sums(wire, account_id) == (54, 10, 0, 0)


async def test_a_batch_of_one_account_takes_effect_in_its_order(wire, new_account):
    """Ten credits held, released, held again: only in their order is there room for each."""
    account_id = new_account()
    await grant(wire, account_id, 10)
    held = await hold(wire, account_id, 10)
    outcomes = await ask(
        wire,
        "batch",
        [
            operation("deduct", account_id, amount_microcredits=CREDIT),
            operation("release", account_id, hold_id=held),
            operation("hold", account_id, amount_microcredits=10 * CREDIT),
            operation("deduct", account_id, amount_microcredits=CREDIT),
        ],
    )
    assert kinds(outcomes) == ["refused", "released", "held", "refused"]


async def test_a_batch_is_of_one_form(wire, stored, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    before = await row_counts(stored)
    deduction = {"account_id": account_id, "amount_microcredits": 1, "idempotency_key": key()}
    both = {"deduction": deduction, "operation": {"deduct": deduction}}
    outcome = (await wire.call("StreamDeductions", **both)).outcome
    assert outcome.refused.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert await row_counts(stored) == before


async def test_the_client_takes_requests_of_holds(stack, wire, new_account):
    account_id = new_account()
    await grant(wire, account_id, 10)
    async with AsyncBillingClient(stack.service.address, plaintext=True) as client:
        asked = transactions_pb2.HoldCreditsRequest(account_id=account_id, amount_microcredits=4 * CREDIT)
        held, spent = await client.batch_deduct_credits(
            operations=[asked, Deduction(account_id=account_id, amount_microcredits=CREDIT)]
        )
        assert asked.idempotency_key, "it keeps the key that it was given"
        assert (held.hold.state, spent.deducted_microcredits) == (OPEN, CREDIT)
        named = {"account_id": account_id, "hold_id": held.hold.hold_id}
        capture = ParseDict(named | {"amount_microcredits": 3 * CREDIT}, transactions_pb2.CaptureHoldRequest())
        async with client.stream_deductions() as stream:
            captured = await (await stream.send(capture))
            refused = await stream.send(ParseDict(named, transactions_pb2.ReleaseHoldRequest()))
            with pytest.raises(HoldClosed):
                await refused
        assert captured.captured_microcredits == 3 * CREDIT
        nowhere = transactions_pb2.ReleaseHoldRequest(account_id=account_id, hold_id="hold_none")
        (missing,) = await client.batch_deduct_credits(operations=[nowhere])
        assert isinstance(missing, HoldNotFound)
        assert missing.rpc == "ReleaseHold"
        with pytest.raises(TypeError):
            await client.batch_deduct_credits(
                operations=[nowhere], deductions=[Deduction(account_id="a", amount_microcredits=1)]
            )
    assert await sums(wire, account_id) == (6, 0, 0, 0)
