"""When a call is tried again, and what its last failure means: for calls, batches and streams of both clients.

gRPC's own retries know statuses and no reasons. They also forget that an earlier attempt may have had its effect. So
channels retry only what never left this machine or never began at the other end. The loop is in `Connection`.
"""

import random
import time
from typing import Final, NoReturn

import grpc
from google.protobuf.message import Message
from prepaid.billing.v1.stripe_events_pb2 import ProcessStripeEventRequest
from prepaid.billing.v1.transactions_pb2 import BatchDeductCreditsRequest

from billing_client.deadlines import timeout_s_of
from billing_client.error_details import billing_error
from billing_client.errors import (
    AccessDenied,
    BillingError,
    IdempotencyKeyReused,
    InvalidRequest,
    NotYours,
    OutcomeUnknown,
    Refusal,
    ServiceUnreachable,
    ShuttingDown,
)

ATTEMPTS_MAX: Final = 4
WEBHOOK_ATTEMPTS_MAX: Final = 2
"""Stripe itself delivers again, so one retry that hides a restart of the service is enough."""
BACKOFF_S: Final = 0.1
BACKOFF_FACTOR: Final = 3.0
BACKOFF_MAX_S: Final = 2.0
ATTEMPT_S_MIN: Final = 0.05
"""No further attempt begins with less time left: the service begins nothing within 20 ms of its deadline."""

REPEATED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""UNAVAILABLE is how the service asks for it. CANCELLED from the other side is a shutdown (grpc/grpc#41785)."""
UNREACHED: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
"""How a look at the service's health ends when nobody is there to be called."""


def is_worth_repeating(error: BillingError) -> bool:
    """Whether the same request may get another answer. Without a reason it was not the service that answered."""
    return not error.reason or error.status in REPEATED


def is_lost(failure: "grpc.RpcError", request: Message, *, sent: bool) -> bool:
    """Whether an address is of no use for now: nobody was reached there, the connection broke, or it shuts down."""
    if not sent:
        return True
    error = billing_error(failure, request)
    return error.status in REPEATED and (not error.reason or isinstance(error, ShuttingDown))


def pause_s(failures: int, retry_after_s: float | None) -> float:
    """Seconds before the next attempt: what the service asks for, else growing; spread, so that callers part."""
    if retry_after_s is not None:
        return retry_after_s * random.uniform(1, 1.5)  # noqa: S311 - spreads callers, no more
    # Same.
    return min(BACKOFF_S * BACKOFF_FACTOR ** (failures - 1), BACKOFF_MAX_S) * random.uniform(0.5, 1)  # noqa: S311


def verdict(error: BillingError, *, uncertain: bool) -> BillingError:
    """`error`, or OutcomeUnknown where an earlier attempt may have had its effect and `error` does not settle it."""
    if not uncertain or isinstance(error, OutcomeUnknown) or _is_said_after_the_key(error):
        return error
    unknown = OutcomeUnknown(
        f"{error.message}; an earlier attempt may have had its effect",
        status=error.status,
        rpc=error.rpc,
        reason=error.reason,
        metadata=error.metadata,
        violations=error.violations,
        retry_after_s=error.retry_after_s,
        idempotency_key=error.idempotency_key,
    )
    unknown.__cause__ = error.__cause__
    return unknown


def _is_said_after_the_key(error: BillingError) -> bool:
    """Refusals of access and of the request come before the key is looked up, and say nothing of an earlier attempt."""
    if isinstance(error, IdempotencyKeyReused | NotYours):
        return True
    return isinstance(error, Refusal) and not isinstance(error, AccessDenied | InvalidRequest)


class Attempts:
    """The attempts of one call: at most four within its time, all with the same request and so the same key."""

    __slots__ = ("_deadline_s", "_failures", "_last", "_proxy", "_request", "_uncertain", "address")
    _last: tuple[BillingError, grpc.RpcError]

    def __init__(self, request: Message, timeout_s: float | None, *, address: str, proxy: str | None) -> None:
        """ValueError unless `timeout_s` is above 0; None is the method's own limit."""
        self._request = request
        self._deadline_s = time.monotonic() + timeout_s_of(request, timeout_s)
        self.address = address
        """Where the next attempt goes, for words."""
        self._proxy = proxy
        self._failures = 0
        self._uncertain = False

    def remaining_s(self) -> float:
        """Time that is left for all of them, in seconds."""
        return max(0.0, self._deadline_s - time.monotonic())

    def failed(self, failure: "grpc.RpcError", *, sent: bool, elsewhere: bool = False) -> float:
        """Seconds to wait before the next attempt. Raises the call's error when there is none.

        `sent`: whether the request was handed over to gRPC; a look at the service's health is not the request.
        `elsewhere`: the next attempt goes to an address that was not tried: at once, and it does not count.
        """
        error = self._sent_error(failure) if sent else self._unreachable(failure)
        self._last = error, failure
        at_once = elsewhere and not self.is_late()
        self._failures += not at_once
        pause = 0.0 if at_once else pause_s(self._failures, error.retry_after_s)
        if not is_worth_repeating(error) or self._failures >= _attempts_max(self._request) or self.is_late(pause):
            self.give_up()
        self._uncertain |= isinstance(error, OutcomeUnknown) and _is_write(self._request)
        return pause

    def is_late(self, pause_s: float = 0) -> bool:
        """Whether too little time is left for a further attempt after this pause."""
        return self.remaining_s() - pause_s < ATTEMPT_S_MIN

    def give_up(self) -> NoReturn:
        """Raises the call's error, after its last failure."""
        error, failure = self._last
        raise verdict(error, uncertain=self._uncertain) from failure

    def closed(self, *, sent: bool) -> BillingError:
        """What a client that is closed in the middle of the call says."""
        words = "the client was closed"
        error_class, words = (OutcomeUnknown, words) if sent else (ServiceUnreachable, f"nothing was sent, {words}")
        return verdict(self._error(error_class, words, grpc.StatusCode.CANCELLED), uncertain=self._uncertain)

    def _sent_error(self, failure: "grpc.RpcError") -> BillingError:
        error = billing_error(failure, self._request)
        if self._proxy is not None and not error.reason:
            error.message = f"{error.message} (through proxy {self._proxy})"
        return error

    def _unreachable(self, failure: "grpc.RpcError") -> BillingError:
        through = f" through proxy {self._proxy}" if self._proxy is not None else ""
        words = f"nothing was sent, {self.address} can't be reached{through}: {failure.details()}"
        return self._error(ServiceUnreachable, words, failure.code())

    def _error(self, error_class: type[BillingError], words: str, status: grpc.StatusCode) -> BillingError:
        rpc, key = type(self._request).__name__.removesuffix("Request"), getattr(self._request, "idempotency_key", None)
        return error_class(words, status=status, rpc=rpc, idempotency_key=key)


def _attempts_max(request: Message) -> int:
    return WEBHOOK_ATTEMPTS_MAX if isinstance(request, ProcessStripeEventRequest) else ATTEMPTS_MAX


def _is_write(request: Message) -> bool:
    return (
        isinstance(request, BatchDeductCreditsRequest | ProcessStripeEventRequest)
        or "idempotency_key" in request.DESCRIPTOR.fields_by_name
    )
