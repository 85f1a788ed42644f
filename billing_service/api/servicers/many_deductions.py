"""BillingService: many operations in one call, and a stream of them. Each succeeds or is refused alone, as if it had
come by itself."""

import asyncio
from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message
from prepaid.billing.v1 import transactions_pb2

from billing_service.api.admission import weight_of
from billing_service.api.late import Late
from billing_service.api.message_sizes import BY_METHOD
from billing_service.api.pipeline import Call
from billing_service.api.servicers.deductions import Begun, refused_bytes, varint
from billing_service.api.servicers.operations import Kinds, asked_of, streamed_of
from billing_service.api.servicers.outcomes import Outcomes
from billing_service.api.servicers.priced_holds import PricedHolds
from billing_service.api.streams.streaming import StreamImplementation
from billing_service.commands.environment import Environment
from billing_service.domain.refusals import Refusal, invalid_field
from billing_service.domain.refusals.serving import outcome_omitted
from billing_service.ledger.keys import Answer

DEDUCTIONS_MAX: Final = 1_000
"""Deductions in one batch: two transactions of the ledger; more would only wait longer for each other."""

_OUTCOMES_TAG = bytes([transactions_pb2.BatchDeductCreditsResponse.OUTCOMES_FIELD_NUMBER << 3 | 2])
_SEQUENCE_TAG = bytes([transactions_pb2.StreamDeductionsResponse.SEQUENCE_FIELD_NUMBER << 3])
_OUTCOME_TAG = bytes([transactions_pb2.StreamDeductionsResponse.OUTCOME_FIELD_NUMBER << 3 | 2])


class ManyDeductions:
    """Methods of BillingService."""

    def __init__(self, environment: Environment, priced: PricedHolds) -> None:
        self._kinds = Kinds(environment, priced)
        self._outcomes = Outcomes(self._kinds)
        self.stream_deductions: StreamImplementation[Answer] = StreamImplementation(
            self._begin_streamed, self._streamed
        )

    async def batch_deduct_credits(self, request: transactions_pb2.BatchDeductCreditsRequest, call: Call) -> bytes:
        asked = _asked(request)
        count = len(asked)
        if not 0 < count <= DEDUCTIONS_MAX:
            field = "operations" if request.operations else "deductions"
            raise invalid_field(field, f"{count} {field}; from 1 to {DEDUCTIONS_MAX} are taken")
        admission, weight = call.edge.admission, weight_of(count) - 1  # the call itself counts already
        admission.take_more(weight)
        begun: list[Begun] = []
        try:
            await self._begin_all(asked, begun, call)
            await _all_done(begun)
        except asyncio.CancelledError:
            _take_back(begun)
            raise
        finally:
            admission.in_flight -= weight
        return _answer([self._outcomes.encode(each, one, call) for each, one in zip(begun, asked, strict=True)])

    async def _begin_all(self, asked: Sequence[Message | None], begun: list[Begun], call: Call) -> None:
        """Adds to `begun` in their order. What is late is submitted before the next is begun."""
        for each in asked:
            one = self._begin(each, call)
            begun.append(one.answer if isinstance(one, Late) else one)
            if isinstance(one, Late):
                await one.submitted.wait()

    def _streamed(
        self, sequence: int, begun: Begun, request: transactions_pb2.StreamDeductionsRequest | None, call: Call
    ) -> bytes:
        """A StreamDeductionsResponse."""
        asked = None
        if request is not None:
            asked = asked_of(request.operation) if request.HasField("operation") else request.deduction
        outcome = self._outcomes.encode(begun, asked, call)
        return _SEQUENCE_TAG + varint(sequence) + _OUTCOME_TAG + varint(len(outcome)) + outcome

    def _begin_streamed(self, request: transactions_pb2.StreamDeductionsRequest, call: Call) -> Begun | Late[Answer]:
        try:
            return self._begin(streamed_of(request), call)
        except Refusal as refusal:
            return refusal

    def _begin(self, asked: Message | None, call: Call) -> Begun | Late[Answer]:
        if asked is None:
            return invalid_field("operation", "is required")
        try:
            return self._kinds.of(asked).begin(asked, call)
        except Exception as error:  # noqa: BLE001 - a refusal, or a defect that must not touch the neighbours: this one's outcome
            return error


def _asked(request: transactions_pb2.BatchDeductCreditsRequest) -> Sequence[Message | None]:
    """What a batch asks for, in its order."""
    if not request.operations:
        return request.deductions
    if request.deductions:
        raise invalid_field("operations", "or deductions are taken, not both")
    return [asked_of(operation) for operation in request.operations]


async def _all_done(begun: Sequence[Begun]) -> None:
    for each in begun:
        if isinstance(each, asyncio.Future) and not each.done():
            await asyncio.wait((each,))


def _take_back(begun: Sequence[Begun]) -> None:
    """Takes back what has not begun, as the unary call does; what has begun goes on."""
    for each in begun:
        if isinstance(each, asyncio.Future) and not each.cancel() and not each.cancelled():
            each.exception()  # looked at, or asyncio would report it as forgotten


def _answer(outcomes: Sequence[bytes]) -> bytes:
    """A BatchDeductCreditsResponse. Where it would become too large, the outcome is left out by name."""
    room = BY_METHOD["BatchDeductCredits"].response_bytes_max - len(outcomes) * len(_OMITTED)
    parts = []
    for outcome in outcomes:
        part = _OUTCOMES_TAG + varint(len(outcome)) + outcome
        needed = len(part) - len(_OMITTED)
        if needed > room:
            part, needed = _OMITTED, 0
        room -= needed
        parts.append(part)
    return b"".join(parts)


def _omitted() -> bytes:
    outcome = refused_bytes(outcome_omitted())
    return _OUTCOMES_TAG + varint(len(outcome)) + outcome


_OMITTED = _omitted()
