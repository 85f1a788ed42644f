"""Operations as values, for many of several kinds at a time, and what became of each."""

from typing import TypeAlias

from prepaid.billing.v1.transactions_pb2 import (
    CaptureHoldRequest,
    CaptureHoldResponse,
    DeductCreditsRequest,
    DeductCreditsResponse,
    DeductionOutcome,
    ExtendHoldRequest,
    ExtendHoldResponse,
    HoldCreditsRequest,
    HoldCreditsResponse,
    ReleaseHoldRequest,
    ReleaseHoldResponse,
    SpendingOperation,
    StreamDeductionsRequest,
)

from billing_client.error_details import error_of_status
from billing_client.errors import BillingError
from billing_client.holds import still_held
from billing_client.idempotency import new_idempotency_key

HoldRequest: TypeAlias = HoldCreditsRequest | CaptureHoldRequest | ReleaseHoldRequest | ExtendHoldRequest
OperationRequest: TypeAlias = DeductCreditsRequest | HoldRequest
OperationResponse: TypeAlias = (
    DeductCreditsResponse | HoldCreditsResponse | CaptureHoldResponse | ReleaseHoldResponse | ExtendHoldResponse
)


def with_key(request: OperationRequest) -> OperationRequest:
    """The same request, which has a key from now on: sent again, it has its effect once."""
    request.idempotency_key = request.idempotency_key or new_idempotency_key()
    return request


def rpc_of(request: OperationRequest) -> str:
    """The RPC that takes this request alone."""
    return type(request).__name__.removesuffix("Request")


def operation_of(request: OperationRequest) -> SpendingOperation:
    """The request, as one among several."""
    match request:
        case HoldCreditsRequest():
            return SpendingOperation(hold=request)
        case CaptureHoldRequest():
            return SpendingOperation(capture=request)
        case ReleaseHoldRequest():
            return SpendingOperation(release=request)
        case ExtendHoldRequest():
            return SpendingOperation(extend=request)
        case _:
            return SpendingOperation(deduct=request)


def streamed(request: OperationRequest) -> StreamDeductionsRequest:
    """The request, as the next one of a stream."""
    if isinstance(request, DeductCreditsRequest):
        return StreamDeductionsRequest(deduction=request)
    return StreamDeductionsRequest(operation=operation_of(request))


def result_of(outcome: DeductionOutcome, request: OperationRequest) -> OperationResponse | BillingError:
    """The answer, or the error that the method of this request alone would have raised."""
    try:
        match outcome.WhichOneof("outcome"):
            case "deducted":
                return outcome.deducted
            case "held":
                return still_held(outcome.held, request.idempotency_key)
            case "captured":
                return outcome.captured
            case "released":
                return outcome.released
            case "extended":
                return still_held(outcome.extended, request.idempotency_key)
    except BillingError as error:
        return error
    return error_of_status(outcome.refused, request)
