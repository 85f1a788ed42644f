"""Deductions for the client to send, and a service that answers them by a script."""

import grpc
from billing_client import Deduction
from google.rpc import status_pb2
from prepaid.billing.v1.transactions_pb2 import DeductCreditsResponse, DeductionOutcome, StreamDeductionsResponse

from tests.support.fake_service import Answer

UNAVAILABLE = Answer(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
FROZEN = Answer(grpc.StatusCode.FAILED_PRECONDITION, "ACCOUNT_FROZEN", {"any": "value"})
CLIENTS = ["blocking", "asyncio"]


def deduction(number=1, **fields):
    return Deduction(account_id=f"a{number}", amount_microcredits=number, **fields)


def deducted(request):
    return DeductionOutcome(deducted=DeductCreditsResponse(transaction_id=request.idempotency_key))


def refused(answer):
    return DeductionOutcome(refused=status_pb2.Status.FromString(answer.packed()))


def answering(service, *, until=None, then=None, answered=None):
    """Streams that answer each request, and break off as told: `until` are the answers that each stream gives, `then`
    how it ends."""
    ends = iter(until or [])

    def converse(received, requests, context):
        most = next(ends, None)
        for count, request in enumerate(requests, 1):
            received.append(request.deduction)
            if most is not None and count > most:
                context.set_trailing_metadata((("grpc-status-details-bin", then.packed()),))
                context.abort(then.status, then.message)
            outcome = answered(request.deduction) if answered else deducted(request.deduction)
            yield StreamDeductionsResponse(sequence=count, outcome=outcome)

    service.converse = converse
