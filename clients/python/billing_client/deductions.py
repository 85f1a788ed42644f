"""Deductions as values, for many at a time, and what became of each."""

import time
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from types import MappingProxyType

import grpc
from prepaid.billing.v1.transactions_pb2 import (
    DEDUCTION_MODE_REJECT,
    BatchDeductCreditsRequest,
    BatchDeductCreditsResponse,
    DeductCreditsRequest,
    DeductionMode,
)
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.deadlines import timeout_s_of
from billing_client.errors import BillingError, Failure, OutcomeUnknown, Refusal, ServiceUnreachable
from billing_client.idempotency import new_idempotency_key
from billing_client.messages import message
from billing_client.operations import (
    HoldRequest,
    OperationRequest,
    OperationResponse,
    operation_of,
    result_of,
    rpc_of,
    with_key,
)
from billing_client.retries import ATTEMPTS_MAX, is_worth_repeating, pause_s, verdict
from billing_client.routing import Routes

OUTSTANDING_MAX = 256
"""Deductions of one stream without an answer: as many as the service reads ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """One deduction. It makes its key when it is made: sent again, by whichever method, the same object has its effect
    once.

    The fields are those of `deduct_credits`.
    """

    account_id: str
    amount_microcredits: int | None = None
    usage: Usage | None = None
    mode: DeductionMode.ValueType = DEDUCTION_MODE_REJECT
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    spender_ids: Sequence[str] = ()
    idempotency_key: str = field(default_factory=new_idempotency_key)

    def request(self) -> DeductCreditsRequest:
        """What goes over the wire. TypeError or ValueError for what can't be meant, such as a float, or an amount and a
        usage at once."""
        if (self.amount_microcredits is None) == (self.usage is None):
            raise TypeError("a deduction takes either amount_microcredits or usage")
        return message(
            DeductCreditsRequest,
            account_id=self.account_id,
            amount_microcredits=self.amount_microcredits,  # type: ignore[arg-type]  # None leaves it out
            usage=self.usage,
            mode=self.mode,
            description=self.description,
            metadata=self.metadata,
            spender_ids=self.spender_ids,
            idempotency_key=self.idempotency_key,
        )


def request_of(asked: Deduction | HoldRequest) -> OperationRequest:
    """What goes over the wire, with a key."""
    return asked.request() if isinstance(asked, Deduction) else with_key(asked)


def unanswered(
    request: OperationRequest,
    why: Exception | None,
    known: BillingError | None,
    *,
    is_sent: bool,
    is_uncertain: bool,
) -> BillingError:
    """The error of a deduction on a stream that got no answer: in time, or before `why`, which means `known`.

    A stream that was refused has begun nothing of what it did not answer. Of what an earlier one carried nothing is
    known.
    """
    if isinstance(known, Refusal) and not is_uncertain:
        return known
    words = "no answer came in time" if why is None else f"the stream ended without an answer: {why}"
    error_class = OutcomeUnknown if is_sent else ServiceUnreachable if why is None else Failure
    return error_class(
        words if is_sent else f"nothing was sent, {words}",
        status=grpc.StatusCode.DEADLINE_EXCEEDED if why is None else grpc.StatusCode.UNKNOWN,
        rpc=rpc_of(request),
        idempotency_key=request.idempotency_key,
    )


class BatchRounds:
    """The rounds of one batch: what was answered UNAVAILABLE goes into the next one, with the same keys."""

    def __init__(
        self, deductions: Sequence[Deduction], operations: Sequence[Deduction | HoldRequest], timeout_s: float | None
    ) -> None:
        """ValueError unless `timeout_s` is above 0; TypeError or ValueError for deductions that can't be meant, or that
        come beside operations."""
        if deductions and operations:
            raise TypeError("a batch takes either deductions or operations")
        self._of_kinds = bool(operations)
        self._requests = [request_of(each) for each in operations or deductions]
        self._deadline_s = time.monotonic() + timeout_s_of(BatchDeductCreditsRequest(), timeout_s)
        self._results: dict[int, OperationResponse | BillingError] = {}
        self._open = list(range(len(self._requests)))
        """Positions of those that the next round asks for."""
        self._uncertain: set[int] = set()
        self._ended: set[int] = set()
        """Positions whose whole part failed."""
        self._rounds = 0
        self.pause_s: float | None = 0.0
        """Seconds to wait before the next round; None when there is none."""

    @property
    def remaining_s(self) -> float:
        """Time that is left for all rounds, in seconds."""
        return max(self._deadline_s - time.monotonic(), 0.001)

    def parts(self, routes: Routes | None) -> list[list[int]]:
        """The positions that the next round asks for: one list, or one for each of several addresses."""
        if routes is None:
            return [self._open]
        return routes.split({position: self._requests[position].account_id for position in self._open}) or [[]]

    def account_of(self, part: Sequence[int]) -> str:
        """An account of a part."""
        return self._requests[part[0]].account_id if part else ""

    def request(self, part: Sequence[int]) -> BatchDeductCreditsRequest:
        """Of one part of the next round."""
        asked = [self._requests[position] for position in part]
        if self._of_kinds:
            return message(BatchDeductCreditsRequest, operations=[operation_of(request) for request in asked])
        deductions = [request for request in asked if isinstance(request, DeductCreditsRequest)]
        return message(BatchDeductCreditsRequest, deductions=deductions)

    def take(
        self, parts: Sequence[Sequence[int]], answers: Sequence[BatchDeductCreditsResponse | BillingError]
    ) -> None:
        """Takes what became of each part. The failure of a part is that of each in it, and these are not sent again.
        Raises it when nothing is known of any. ValueError when the service did not answer each of a part."""
        failed = [answer for answer in answers if isinstance(answer, BillingError)]
        if len(failed) == len(answers) and not self._rounds:
            raise failed[0]
        results: dict[int, OperationResponse | BillingError] = {}
        for part, answer in zip(parts, answers, strict=True):
            asked = [self._requests[position] for position in part]
            if isinstance(answer, BillingError):
                own: Iterable[OperationResponse | BillingError] = [_of_one(answer, request) for request in asked]
                self._ended.update(part)
            else:
                own = [result_of(outcome, request) for outcome, request in zip(answer.outcomes, asked, strict=True)]
            results.update(zip(part, own, strict=True))
        self._take(results)

    def results(self) -> list[OperationResponse | BillingError]:
        """What became of each, in their order."""
        return [self._results[position] for position in range(len(self._requests))]

    def _take(self, results: Mapping[int, OperationResponse | BillingError]) -> None:
        self._rounds += 1
        failures: dict[int, BillingError] = {}
        for position in self._open:
            result = results[position]
            if isinstance(result, BillingError):
                self._results[position] = verdict(result, uncertain=position in self._uncertain)
                if is_worth_repeating(result) and position not in self._ended:
                    failures[position] = result
            else:
                self._results[position] = result
        self._open = list(failures)
        self._uncertain |= {position for position, failure in failures.items() if isinstance(failure, OutcomeUnknown)}
        self.pause_s = max(
            (pause_s(self._rounds, failure.retry_after_s) for failure in failures.values()), default=None
        )
        if self._rounds >= ATTEMPTS_MAX or (
            self.pause_s is not None and self.pause_s >= self._deadline_s - time.monotonic()
        ):
            self.pause_s = None


def _of_one(error: BillingError, request: OperationRequest) -> BillingError:
    """What a failure of a whole round is to one of those in it."""
    own = copy(error)
    own.__cause__ = error.__cause__
    own.rpc, own.idempotency_key = rpc_of(request), request.idempotency_key
    return own
