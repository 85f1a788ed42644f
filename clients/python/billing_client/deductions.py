"""Deductions as values, for many at a time, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import grpc
from prepaid.billing.v1.transactions_pb2 import (
    DEDUCTION_MODE_REJECT,
    BatchDeductCreditsResponse,
    DeductCreditsRequest,
    DeductCreditsResponse,
    DeductionMode,
    DeductionOutcome,
)

from billing_client.error_details import error_of_status
from billing_client.errors import BillingError, OutcomeUnknown
from billing_client.idempotency import new_idempotency_key

OUTSTANDING_MAX = 256
"""Deductions of one stream without an answer: as many as the service reads ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """One deduction. It makes its key when it is made: sent again, by whichever method, the same object has its effect once.

    The fields are those of `deduct_credits`.
    """

    account_id: str
    amount_microcredits: int
    mode: DeductionMode.ValueType = DEDUCTION_MODE_REJECT
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    idempotency_key: str = field(default_factory=new_idempotency_key)

    def request(self) -> DeductCreditsRequest:
        """What goes over the wire. TypeError or ValueError for what can't be meant, such as a float."""
        return DeductCreditsRequest(
            account_id=self.account_id,
            amount_microcredits=self.amount_microcredits,
            mode=self.mode,
            description=self.description,
            metadata=self.metadata,
            idempotency_key=self.idempotency_key,
        )


def result_of(outcome: DeductionOutcome, request: DeductCreditsRequest) -> DeductCreditsResponse | BillingError:
    """The answer, or the error that `deduct_credits` would have raised."""
    if outcome.HasField("deducted"):
        return outcome.deducted
    return error_of_status(outcome.refused, request)


def results_of(answer: BatchDeductCreditsResponse, requests: Sequence[DeductCreditsRequest]) -> list[DeductCreditsResponse | BillingError]:
    """What became of each, in their order. ValueError when the service did not answer each of them."""
    return [result_of(outcome, request) for outcome, request in zip(answer.outcomes, requests, strict=True)]


def unknown_outcome(request: DeductCreditsRequest, why: Exception | None) -> OutcomeUnknown:
    """What is said of a deduction that was sent on a stream and got no answer: in time, or before `why` ended the stream."""
    return OutcomeUnknown(
        "no answer came in time" if why is None else f"the stream ended without an answer: {why}",
        status=grpc.StatusCode.DEADLINE_EXCEEDED if why is None else grpc.StatusCode.UNKNOWN,
        rpc="DeductCredits",
        idempotency_key=request.idempotency_key,
    )
