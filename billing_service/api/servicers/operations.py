"""What may be begun among others, in a batch or on a stream: each kind of request, how its operation is made and begun,
and how its outcome is told."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from prepaid.billing.v1 import transactions_pb2

from billing_service.api.call_log import Readers, readers_of
from billing_service.api.late import Late
from billing_service.api.pipeline import Call
from billing_service.api.requests import Replies
from billing_service.api.servicers import holds
from billing_service.api.servicers.deductions import Deductions, reply_of_deduction
from billing_service.api.servicers.priced_holds import PricedHolds
from billing_service.commands.environment import Environment
from billing_service.domain.refusals import invalid_field
from billing_service.ledger.keys import Answer

_OUTCOME = transactions_pb2.DeductionOutcome.DESCRIPTOR.fields_by_name
Begun = asyncio.Future[Answer] | Late[Answer]


class Kind(NamedTuple):
    """One kind of operation."""

    begin: Callable[[Any, Call], Begun]
    """Submits what a request asks for. Raises what its own RPC raises before it has begun."""
    reply: Callable[[Answer], bytes]
    tag: bytes
    """Of its answer, as a field of DeductionOutcome."""
    logged: Readers


class Kinds:
    """Every kind, by the class of its request."""

    def __init__(self, environment: Environment, priced: PricedHolds) -> None:
        writer, deductions, clock_us = environment.writer, Deductions(environment), environment.clock_us

        def submits(operation_of: Callable[[Any, Call], Any]) -> Callable[[Any, Call], Begun]:
            return lambda request, call: writer.submit(operation_of(request, call))

        held = holds.TimedReplies(transactions_pb2.HoldCreditsResponse, clock_us)
        extended = holds.TimedReplies(transactions_pb2.ExtendHoldResponse, clock_us)
        captured = Replies(transactions_pb2.CaptureHoldResponse)
        released = Replies(transactions_pb2.ReleaseHoldResponse)
        self._by_request: Final[dict[type[Message], Kind]] = {
            request: Kind(begin, reply, bytes([_OUTCOME[field].number << 3 | 2]), readers_of(request.DESCRIPTOR))
            for request, begin, reply, field in (
                (transactions_pb2.DeductCreditsRequest, deductions.begin, reply_of_deduction, "deducted"),
                (transactions_pb2.HoldCreditsRequest, priced.hold, held, "held"),
                (transactions_pb2.CaptureHoldRequest, priced.capture, captured, "captured"),
                (transactions_pb2.ReleaseHoldRequest, submits(holds.release_of), released, "released"),
                (transactions_pb2.ExtendHoldRequest, submits(holds.extension_of), extended, "extended"),
            )
        }

    def of(self, request: Message) -> Kind:
        """The kind of a request."""
        return self._by_request[type(request)]


def asked_of(operation: transactions_pb2.SpendingOperation) -> Message | None:
    """What an operation asks for; None where it asks for nothing."""
    name = operation.WhichOneof("operation")
    asked: Message | None = getattr(operation, name) if name else None
    return asked


def streamed_of(request: transactions_pb2.StreamDeductionsRequest) -> Message | None:
    """What a request of a stream asks for. Raises INVALID_FIELD for one that asks for two things."""
    if not request.HasField("operation"):
        return request.deduction
    if request.HasField("deduction"):
        raise invalid_field("operation", "or deduction is taken, not both")
    return asked_of(request.operation)
