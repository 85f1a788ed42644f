"""From the domain's reasons to gRPC statuses. Nothing else decides a caller's status when the answer is no.

Details travel as google.rpc.Status in `grpc-status-details-bin`, the form that every gRPC language decodes.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from billing_service.domain.refusals import Reason, Refused

DOMAIN: Final = "prepaid.billing.v1"
DETAILS_KEY: Final = "grpc-status-details-bin"
INTERNAL_TEXT: Final = "internal error; quote the correlation id when reporting it"

TEXT_MAX: Final = 256
"""Characters of any text in a status: statuses travel in HTTP/2 trailers, and clients cut connections over 8 to 16 KiB
of them."""
PAIRS_MAX: Final = 16
"""Metadata pairs and field violations in a status."""

STATUS_CODES: Final[dict[Reason, grpc.StatusCode]] = {
    Reason.INVALID_FIELD: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.IDEMPOTENCY_KEY_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNKNOWN_PACKAGE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNKNOWN_MODEL: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.PRICE_MISSING: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.SIGNATURE_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.ACCOUNT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.PURCHASE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.HOLD_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.REFERRAL_CODE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.TRANSACTION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.STRIPE_EVENT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.API_KEY_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.REFUND_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.RATE_CARD_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.STRIPE_CUSTOMER_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.ACCOUNT_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Reason.REFERRAL_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Reason.RATE_CARD_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Reason.STRIPE_CUSTOMER_TAKEN: grpc.StatusCode.ALREADY_EXISTS,
    Reason.INSUFFICIENT_CREDITS: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.ACCOUNT_FROZEN: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.PURCHASE_NOT_REFUNDABLE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.CREDITS_ALREADY_SPENT: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SELF_REFERRAL: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REFERRAL_TOO_LATE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.HOLD_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.HOLD_CLOSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.HOLD_OWNED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SESSION_TAKEN_OVER: grpc.StatusCode.ABORTED,
    Reason.SPEND_LIMIT_REACHED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.PURCHASE_NOT_CANCELABLE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.DEDUCTION_ALREADY_REVERSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.TRANSACTION_NOT_REVERSIBLE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.STRIPE_REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.BALANCE_LIMIT_REACHED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REVERSAL_TOO_LATE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.STRIPE_CUSTOMER_DELETED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.POSITION_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.API_KEY_INVALID: grpc.StatusCode.UNAUTHENTICATED,
    Reason.SCOPE_MISSING: grpc.StatusCode.PERMISSION_DENIED,
    Reason.NOT_YOURS: grpc.StatusCode.PERMISSION_DENIED,
    Reason.ACCOUNT_NOT_ALLOWED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.SPENDER_NOT_ALLOWED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_HOLDS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_SPEND_LIMITS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.STORAGE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.STRIPE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.STRIPE_KEY_REFUSED: grpc.StatusCode.UNAVAILABLE,
    Reason.CONFLICT: grpc.StatusCode.UNAVAILABLE,
    Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
    Reason.DEADLINE_TOO_SHORT: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.OUTCOME_OMITTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
}

RETRY_DELAYS_MS: Final[dict[Reason, int]] = {
    Reason.OVERLOADED: 1000,
    Reason.STORAGE_UNAVAILABLE: 1000,
    Reason.STRIPE_UNAVAILABLE: 2000,
    Reason.STRIPE_KEY_REFUSED: 60_000,
    Reason.CONFLICT: 50,
    Reason.SHUTTING_DOWN: 200,
    Reason.OUTCOME_OMITTED: 1,
}
"""How long a caller should wait before it asks again, for each reason worth asking again."""


class Status(NamedTuple):
    """A refusal, ready for `ServicerContext.abort`."""

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def status_of(refused: Refused) -> Status:
    if refused.metadata or refused.violations:
        return _status(refused.reason, refused.message, tuple(refused.metadata.items()), refused.violations)
    return _plain_status(refused.reason, refused.message)


def internal_status(correlation_id: str) -> Status:
    """What a caller learns of a defect: that there is one, and under which id the log has more."""
    return _status(Reason.INTERNAL, INTERNAL_TEXT, (("correlation_id", correlation_id),), ())


def _status(
    reason: Reason, message: str, metadata: tuple[tuple[str, str], ...], violations: tuple[tuple[str, str], ...]
) -> Status:
    code = STATUS_CODES[reason]
    text = message[:TEXT_MAX]
    pairs = {name: value[:TEXT_MAX] for name, value in metadata[:PAIRS_MAX]}
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason.value, domain=DOMAIN, metadata=pairs)]
    if violations:
        bad_request = error_details_pb2.BadRequest()
        for name, description in violations[:PAIRS_MAX]:
            bad_request.field_violations.add(field=name[:TEXT_MAX], description=description[:TEXT_MAX])
        details.append(bad_request)
    if reason in RETRY_DELAYS_MS:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(RETRY_DELAYS_MS[reason])
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return Status(code, text, ((DETAILS_KEY, status.SerializeToString()),))


@lru_cache(maxsize=256)
def _plain_status(reason: Reason, message: str) -> Status:
    """Refusals of constant text are encoded once: saying no under load must be cheap."""
    return _status(reason, message, (), ())
