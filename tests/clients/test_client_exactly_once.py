"""Requests and replies that are lost, calls that hang: every logical deduction has one effect all the same."""

import asyncio
import random

import grpc
from billing_client import AsyncBillingClient, errors
from prepaid.billing.v1.transactions_pb2 import DeductCreditsResponse

from tests.support.fake_service import FakeService, running_fake_service

LOGICAL_CALLS = 500
LOST_REQUESTS, LOST_REPLIES, HANGING = 0.3, 0.3, 0.02


class LossyService(FakeService):
    """Keeps each key's first effect, as the contract says; loses what it was told before or after it."""

    def __init__(self):
        super().__init__()
        self.effects: dict[str, DeductCreditsResponse] = {}
        self.attempt_count = 0
        self._chance = random.Random(1)

    def _answer(self, _method, request, context):
        self.attempt_count += 1
        chance = self._chance.random()
        if chance < LOST_REQUESTS:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the request was lost")
        reply = self.effects.setdefault(
            request.idempotency_key, DeductCreditsResponse(transaction_id=f"txn_{request.idempotency_key}")
        )
        if chance < LOST_REQUESTS + LOST_REPLIES:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the reply was lost")
        if chance < LOST_REQUESTS + LOST_REPLIES + HANGING:
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the reply came too late")
        return reply


async def deduct(client) -> str:
    """What a caller does: repeat with the same key until the outcome is known."""
    key = None
    while True:
        try:
            response = await client.deduct_credits(account_id="a", amount_microcredits=1, idempotency_key=key)
        except errors.OutcomeUnknown as unknown:
            key = unknown.idempotency_key
        else:
            return response.transaction_id


async def test_every_logical_deduction_has_one_effect():
    with running_fake_service(LossyService()) as service:
        async with AsyncBillingClient(service.address) as client:
            transactions = await asyncio.gather(*(deduct(client) for _ in range(LOGICAL_CALLS)))
    assert len(service.effects) == len(set(transactions)) == LOGICAL_CALLS
    assert service.attempt_count > 2 * LOGICAL_CALLS
