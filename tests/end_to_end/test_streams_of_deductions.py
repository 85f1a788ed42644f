"""StreamDeductions as callers meet it, and the same deduction by any of the three RPCs that deduct."""

import asyncio
import itertools
from types import SimpleNamespace

import grpc
import pytest
from prepaid.billing.v1.transactions_pb2 import (
    BatchDeductCreditsRequest,
    StreamDeductionsRequest,
    StreamDeductionsResponse,
)

from billing_service.api.admission import weight_of
from tests.end_to_end.test_batches_of_deductions import batch, deduction, left, reason_of, rich
from tests.support.stack import CREDIT
from tests.support.wire import METHODS, key, outcomes, request_of, row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANSWERED_WITHIN_S = 20.0


def opened(wire, **options):
    """A stream on the test's channel."""
    method = METHODS["StreamDeductions"]
    path = f"/{method.containing_service.full_name}/{method.name}"
    rpc = wire.channel.stream_stream(
        path, StreamDeductionsRequest.SerializeToString, StreamDeductionsResponse.FromString
    )
    return rpc(metadata=wire._metadata, **options)


async def stream(wire, *deductions):
    """The outcomes of these, sent on one stream without waiting for answers."""
    call = opened(wire)

    async def send():
        for fields in deductions:
            await call.write(StreamDeductionsRequest(deduction=request_of("DeductCredits", fields)))
        await call.done_writing()

    sending = asyncio.ensure_future(send())
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        answers = [answer async for answer in call]
        await sending
        assert await call.code() is grpc.StatusCode.OK
    assert [answer.sequence for answer in answers] == list(range(1, len(deductions) + 1))
    return [answer.outcome for answer in answers]


async def alone(wire, *deductions):
    """The answers of unary calls, as outcomes that happened."""
    answers = [await wire.call("DeductCredits", **fields) for fields in deductions]
    return [type("Outcome", (), {"deducted": answer})() for answer in answers]


WAYS = {"alone": alone, "batch": batch, "stream": stream}


@pytest.mark.parametrize(
    ("first", "again"), [pair for pair in itertools.product(WAYS, WAYS) if pair != ("alone", "alone")]
)
async def test_a_deduction_is_the_same_by_whichever_rpc_it_is_repeated(wire, stored, new_account, first, again):
    account_id = await rich(wire, new_account())
    fields = deduction(account_id, 5 * CREDIT, description="words", metadata={"n": "1"})
    (original,) = await WAYS[first](wire, fields)
    assert not original.deducted.replayed
    before = await row_counts(stored)
    (repeated,) = await WAYS[again](wire, fields)
    original.deducted.replayed = True
    assert repeated.deducted == original.deducted
    other = fields | {"amount_microcredits": CREDIT}
    if again == "alone":
        assert await wire.refusal("DeductCredits", **other) == ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")
    else:
        assert [reason_of(outcome) for outcome in await WAYS[again](wire, other)] == ["IDEMPOTENCY_KEY_REUSED"]
    assert await row_counts(stored) == before
    assert await left(wire, account_id) == 995 * CREDIT


async def test_what_is_wrong_with_one_touches_no_neighbour_on_its_stream(wire, new_account):
    account_id, poor = await rich(wire, new_account()), await rich(wire, new_account("poor"), 1)
    good = [deduction(account_id) for _ in range(4)]
    wrong = [{}, deduction(poor, 5 * CREDIT), deduction(new_account("nobody")), deduction(account_id, 0)]
    answered = await stream(wire, *(fields for pair in zip(good, wrong, strict=True) for fields in pair), good[0])
    reasons = ["INVALID_FIELD", "INSUFFICIENT_CREDITS", "ACCOUNT_NOT_FOUND", "INVALID_FIELD"]
    assert [reason_of(outcome) for outcome in answered] == [
        reason for wrong_one in reasons for reason in ("", wrong_one)
    ] + [""]
    assert answered[-1].deducted.replayed
    errors = [await wire.attempt("DeductCredits", **fields) for fields in wrong]
    assert [(outcome.refused.code, outcome.refused.message) for outcome in answered[1::2]] == [
        (error.status.value[0], error.message) for error in errors
    ]
    assert await left(wire, account_id) == 996 * CREDIT


async def test_streams_on_one_hot_account_each_in_its_order_and_never_overspent(wire, new_account):
    account_id = await rich(wire, new_account("hot"), 600)
    answered = await outcomes(*(stream(wire, *(deduction(account_id) for _ in range(200))) for _ in range(4)))
    taken = [
        [outcome.deducted.balance.account_version for outcome in each if outcome.HasField("deducted")]
        for each in answered
    ]
    assert all(versions == sorted(versions) for versions in taken), (
        "deductions of one stream took effect in another order"
    )
    assert sorted(itertools.chain(*taken)) == list(range(2, 602))
    reasons = [reason_of(outcome) for each in answered for outcome in each]
    assert reasons.count("INSUFFICIENT_CREDITS") == 200
    assert await left(wire, account_id) == 0


async def test_an_answer_comes_while_its_stream_stays_open(wire, new_account):
    account_id = await rich(wire, new_account())
    call = opened(wire)
    for count in range(1, 4):
        await call.write(StreamDeductionsRequest(deduction=request_of("DeductCredits", deduction(account_id))))
        answer = await asyncio.wait_for(call.read(), ANSWERED_WITHIN_S)
        assert (answer.sequence, answer.outcome.deducted.balance.account_version) == (count, count + 1)
    await call.done_writing()
    assert await asyncio.wait_for(call.read(), ANSWERED_WITHIN_S) is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_stream_without_requests_ends_well(wire):
    assert await stream(wire) == []


async def test_a_caller_that_vanishes_in_mid_stream_finds_out_by_its_keys(stack, wire, new_account):
    account_id = await rich(wire, new_account())
    sent = [deduction(account_id) for _ in range(100)]
    call = opened(wire)
    for fields in sent:
        await call.write(StreamDeductionsRequest(deduction=request_of("DeductCredits", fields)))
    first = await asyncio.wait_for(call.read(), ANSWERED_WITHIN_S)
    call.cancel()
    admission = stack.service.server.edge.admission
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        while admission.in_flight or admission.streams:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    again = await stream(wire, *sent)
    assert again[0].deducted.transaction_id == first.outcome.deducted.transaction_id
    assert all(outcome.HasField("deducted") for outcome in again)
    assert await left(wire, account_id) == 900 * CREDIT


async def test_a_batch_that_is_called_off_takes_back_what_has_not_begun_and_no_more(
    stack, wire, new_account, monkeypatch
):
    account_id = await rich(wire, new_account())
    sent = [deduction(account_id) for _ in range(1000)]
    request = BatchDeductCreditsRequest(deductions=[request_of("DeductCredits", fields) for fields in sent])
    environment, edge = stack.service.environment, stack.service.server.edge
    begun, go, write = asyncio.Event(), asyncio.Event(), environment.store.write_by_attempt

    async def withheld(work):
        begun.set()
        await go.wait()
        return await write(work)

    monkeypatch.setattr(environment.writer, "_store", SimpleNamespace(write_by_attempt=withheld))
    hasty = asyncio.ensure_future(wire.bytes_call("BatchDeductCredits", request.SerializeToString()))
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        await begun.wait()
        assert edge.admission.in_flight == weight_of(1000)
        hasty.cancel()
        while edge.admission.in_flight:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        operations = environment.writer.counters.operations
        go.set()
        await wire.do("DeductCredits", account_id=account_id, amount_microcredits=1)
    began = 1000 - round((await left(wire, account_id) + 1) / CREDIT)
    assert 0 < began < 1000
    assert environment.writer.counters.operations == operations + 1, "what had not begun was posted"
    answered = await batch(wire, *sent)
    assert sum(outcome.deducted.replayed for outcome in answered) == began
    assert [reason_of(outcome) for outcome in answered] == [""] * 999 + ["INSUFFICIENT_CREDITS"]


async def test_garbage_on_a_stream_is_refused_in_its_turn(wire, stored, new_account):
    account_id = await rich(wire, new_account())
    before = await row_counts(stored)
    rpc = wire.channel.stream_stream("/prepaid.billing.v1.BillingService/StreamDeductions")
    call = rpc(metadata=wire._metadata)
    good = StreamDeductionsRequest(
        deduction=request_of("DeductCredits", deduction(account_id, idempotency_key=key()))
    ).SerializeToString()
    garbage = [bytes([number]) * number for number in range(40)] + [good[:-1], good + b"\x0a", b"\x0a\x05hello"]
    for raw in [*garbage, good]:
        await call.write(raw)
    await call.done_writing()
    answers = [StreamDeductionsResponse.FromString(raw) async for raw in call]
    assert [reason_of(answer.outcome) for answer in answers] == ["INVALID_FIELD"] * len(garbage) + [""]
    after = await row_counts(stored)
    assert after["transactions"] - before["transactions"] == 1
