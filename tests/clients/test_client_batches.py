"""Batches of the client: keys made once, retried whole, each deduction with its answer or its typed error."""

import asyncio

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, errors
from prepaid.billing.v1.transactions_pb2 import BatchDeductCreditsResponse, DeductCreditsResponse

from tests.clients.scripted_deductions import CLIENTS, FROZEN, UNAVAILABLE, deducted, deduction, refused
from tests.support.fake_service import Answer


async def batch(kind, service, deductions, **options):
    if kind == "blocking":
        with BillingClient(service.address) as client:
            return await asyncio.to_thread(client.batch_deduct_credits, deductions=deductions, **options)
    async with AsyncBillingClient(service.address) as client:
        return await client.batch_deduct_credits(deductions=deductions, **options)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_batch_tells_the_answer_or_the_typed_error_of_each(kind, service):
    deductions = [deduction(1, description="words", metadata={"n": "1"}), deduction(2), deduction(3)]
    omitted = refused(Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "OUTCOME_OMITTED"))
    service.script = [
        BatchDeductCreditsResponse(outcomes=[deducted(deductions[0].request()), refused(FROZEN), omitted])
    ]
    first, second, third = await batch(kind, service, deductions)
    assert first == DeductCreditsResponse(transaction_id=deductions[0].idempotency_key)
    assert (type(second), second.metadata, second.status) == (
        errors.AccountFrozen,
        {"any": "value"},
        grpc.StatusCode.FAILED_PRECONDITION,
    )
    assert second.idempotency_key == deductions[1].idempotency_key
    assert isinstance(third, errors.OutcomeOmitted)
    assert isinstance(third, errors.OutcomeUnknown)
    assert [*service.attempts[0].request.deductions] == [each.request() for each in deductions]
    assert service.attempts[0].request.deductions[0].metadata == {"n": "1"}


@pytest.mark.parametrize("description", ["", "x" * 2_000], ids=["small", "more than gRPC keeps unless told"])
@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_batch_is_retried_whole_with_the_same_keys(kind, service, description):
    deductions = [deduction(number, description=description) for number in range(1, 201)]
    service.script = [
        UNAVAILABLE,
        UNAVAILABLE,
        BatchDeductCreditsResponse(outcomes=[deducted(each.request()) for each in deductions]),
    ]
    answers = await batch(kind, service, deductions)
    assert [answer.transaction_id for answer in answers] == [each.idempotency_key for each in deductions]
    assert len({attempt.request.SerializeToString(deterministic=True) for attempt in service.attempts}) == 1
    assert len(service.attempts) == 3
    assert len({each.idempotency_key for each in deductions}) == 200


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_batch_without_an_answer_raises_and_its_deductions_keep_their_keys(kind, service):
    deductions = [deduction(), deduction(2, idempotency_key="mine")]
    service.script = [UNAVAILABLE] * 9
    with pytest.raises(errors.ShuttingDown):
        await batch(kind, service, deductions, timeout_s=30)
    service.script = [BatchDeductCreditsResponse(outcomes=[deducted(each.request()) for each in deductions])]
    assert [answer.transaction_id for answer in await batch(kind, service, deductions)] == [
        deductions[0].idempotency_key,
        "mine",
    ]


async def test_a_batch_of_which_the_service_forgets_one_is_not_taken_for_the_others(service):
    service.script = [BatchDeductCreditsResponse(outcomes=[refused(FROZEN)])]
    with pytest.raises(ValueError, match="argument"):
        await batch("asyncio", service, [deduction(), deduction(2)])
