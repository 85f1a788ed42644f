"""Turns a gRPC status with its rich details into the exception that means the same."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from billing_client import errors

ERROR_DOMAIN = "prepaid.billing.v1"
_DETAILS_KEY = "grpc-status-details-bin"

CLASS_BY_REASON: dict[str, type[errors.BillingError]] = {
    "INVALID_FIELD": errors.InvalidField,
    "IDEMPOTENCY_KEY_REUSED": errors.IdempotencyKeyReused,
    "UNKNOWN_PACKAGE": errors.UnknownPackage,
    "UNKNOWN_MODEL": errors.UnknownModel,
    "PRICE_MISSING": errors.PriceMissing,
    "SIGNATURE_INVALID": errors.SignatureRejected,
    "ACCOUNT_NOT_FOUND": errors.AccountNotFound,
    "PURCHASE_NOT_FOUND": errors.PurchaseNotFound,
    "HOLD_NOT_FOUND": errors.HoldNotFound,
    "REFERRAL_CODE_NOT_FOUND": errors.ReferralCodeNotFound,
    "TRANSACTION_NOT_FOUND": errors.TransactionNotFound,
    "STRIPE_EVENT_NOT_FOUND": errors.StripeEventNotFound,
    "API_KEY_NOT_FOUND": errors.ApiKeyNotFound,
    "REFUND_NOT_FOUND": errors.RefundNotFound,
    "RATE_CARD_NOT_FOUND": errors.RateCardNotFound,
    "STRIPE_CUSTOMER_NOT_FOUND": errors.StripeCustomerNotFound,
    "ACCOUNT_EXISTS": errors.AccountExists,
    "REFERRAL_EXISTS": errors.ReferralExists,
    "RATE_CARD_EXISTS": errors.RateCardExists,
    "STRIPE_CUSTOMER_TAKEN": errors.StripeCustomerTaken,
    "INSUFFICIENT_CREDITS": errors.InsufficientCredits,
    "ACCOUNT_FROZEN": errors.AccountFrozen,
    "PURCHASE_NOT_REFUNDABLE": errors.PurchaseNotRefundable,
    "CREDITS_ALREADY_SPENT": errors.CreditsAlreadySpent,
    "SELF_REFERRAL": errors.SelfReferral,
    "REFERRAL_TOO_LATE": errors.ReferralTooLate,
    "HOLD_EXPIRED": errors.HoldExpired,
    "HOLD_CLOSED": errors.HoldClosed,
    "TOO_MANY_HOLDS": errors.TooManyHolds,
    "HOLD_OWNED": errors.HoldOwned,
    "SESSION_TAKEN_OVER": errors.SessionTakenOver,
    "TOO_MANY_SPEND_LIMITS": errors.TooManySpendLimits,
    "SPEND_LIMIT_REACHED": errors.SpendLimitReached,
    "PURCHASE_NOT_CANCELABLE": errors.PurchaseNotCancelable,
    "DEDUCTION_ALREADY_REVERSED": errors.DeductionAlreadyReversed,
    "TRANSACTION_NOT_REVERSIBLE": errors.TransactionNotReversible,
    "STRIPE_REFUSED": errors.StripeRefused,
    "BALANCE_LIMIT_REACHED": errors.BalanceLimitReached,
    "REVERSAL_TOO_LATE": errors.ReversalTooLate,
    "STRIPE_CUSTOMER_DELETED": errors.StripeCustomerDeleted,
    "POSITION_EXPIRED": errors.PositionExpired,
    "API_KEY_INVALID": errors.ApiKeyInvalid,
    "SCOPE_MISSING": errors.ScopeMissing,
    "NOT_YOURS": errors.NotYours,
    "ACCOUNT_NOT_ALLOWED": errors.AccountNotAllowed,
    "SPENDER_NOT_ALLOWED": errors.SpenderNotAllowed,
    "OVERLOADED": errors.Overloaded,
    "STORAGE_UNAVAILABLE": errors.StorageUnavailable,
    "STRIPE_UNAVAILABLE": errors.StripeUnavailable,
    "STRIPE_KEY_REFUSED": errors.StripeKeyRefused,
    "CONFLICT": errors.Conflict,
    "SHUTTING_DOWN": errors.ShuttingDown,
    "DEADLINE_TOO_SHORT": errors.DeadlineTooShort,
    "OUTCOME_OMITTED": errors.OutcomeOmitted,
    "INTERNAL": errors.ServiceDefect,
}

# For reasons of a newer service that are not known here. An answer without a reason is nobody's word: see `_error`.
CLASS_BY_STATUS: dict[grpc.StatusCode, type[errors.BillingError]] = {
    grpc.StatusCode.OK: errors.BillingError,  # never an error; here so that the table is whole
    grpc.StatusCode.CANCELLED: errors.OutcomeUnknown,
    grpc.StatusCode.UNKNOWN: errors.OutcomeUnknown,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.OutcomeUnknown,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
    grpc.StatusCode.PERMISSION_DENIED: errors.AccessDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.OutcomeUnknown,
    grpc.StatusCode.FAILED_PRECONDITION: errors.PreconditionFailed,
    grpc.StatusCode.ABORTED: errors.OutcomeUnknown,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequest,
    grpc.StatusCode.UNIMPLEMENTED: errors.InvalidRequest,
    grpc.StatusCode.INTERNAL: errors.OutcomeUnknown,
    grpc.StatusCode.UNAVAILABLE: errors.OutcomeUnknown,
    grpc.StatusCode.DATA_LOSS: errors.OutcomeUnknown,
    grpc.StatusCode.UNAUTHENTICATED: errors.AccessDenied,
}

_STATUS_BY_NUMBER = {status.value[0]: status for status in grpc.StatusCode}


@dataclass(slots=True)
class _Details:
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None


class FailedCall(Protocol):
    """What sync and async gRPC errors have in common, without the stubs' disagreement about the rest."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Iterable[Any] | None: ...


def billing_error(failed: FailedCall, request: Message) -> errors.BillingError:
    """The exception for `failed`, which `request` got; raise it `from` the gRPC error."""
    packed = next((value for key, value in failed.trailing_metadata() or () if key == _DETAILS_KEY), b"")
    try:
        details = _read_details(status_pb2.Status.FromString(packed))
    except DecodeError:
        # Something between us and the service mangled the trailer: the status alone still says what kind of error it
        # is.
        details = _Details()
    return _error(failed.code(), failed.details(), details, request)


def error_of_status(told: status_pb2.Status, request: Message) -> errors.BillingError:
    """The exception for a status that came inside an answer, as what became of `request`."""
    try:
        details = _read_details(told)
    except DecodeError:
        details = _Details()
    return _error(_STATUS_BY_NUMBER.get(told.code, grpc.StatusCode.UNKNOWN), told.message, details, request)


def _error(status: grpc.StatusCode, message: str | None, details: _Details, request: Message) -> errors.BillingError:
    """Without a reason the outcome is unknown, whatever the status: proxies, balancers and gRPC itself say any of
    them."""
    error_class = CLASS_BY_REASON.get(details.reason) or (
        CLASS_BY_STATUS[status] if details.reason else errors.OutcomeUnknown
    )
    return error_class(
        message or "no message",
        status=status,
        rpc=type(request).__name__.removesuffix("Request"),
        reason=details.reason,
        metadata=details.metadata,
        violations=details.violations,
        retry_after_s=details.retry_after_s,
        idempotency_key=getattr(request, "idempotency_key", None),
    )


def _read_details(told: status_pb2.Status) -> _Details:
    """DecodeError when a detail is not what it says."""
    details = _Details()
    for detail in told.details:
        info, bad_request, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            details.reason, details.metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad_request):
            details.violations = tuple((item.field, item.description) for item in bad_request.field_violations)
        elif detail.Unpack(retry):
            details.retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    return details
