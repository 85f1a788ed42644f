"""How a call ends: counted, logged, and a refused or broken one answered with a status."""

import asyncio
from typing import TYPE_CHECKING

import grpc
from google.protobuf.descriptor import MethodDescriptor

from billing_service.api.call_log import CallLog
from billing_service.api.status import Status, internal_status, status_of
from billing_service.domain.refusals import Reason, Refused, conflict, storage_unavailable
from billing_service.domain.refusals.serving import interrupted, shutting_down

if TYPE_CHECKING:
    from billing_service.api.pipeline import Call, Edge


class Outcome:
    """How calls of one method end: counted, logged, and the refused ones answered."""

    def __init__(self, method: MethodDescriptor, edge: "Edge") -> None:
        self.name = method.name
        self.log = CallLog(method, edge.log, logs_hot_calls=edge.log_successes_of_hot_methods)
        self.counts = edge.metrics.counts_of(method.containing_service.full_name, method.name)
        self._edge = edge

    def succeed(self, call: "Call", seconds: float) -> None:
        """What unary calls do inline."""
        self.counts.ok += 1
        self.counts.observe(seconds)
        if self.log.logs_successes:
            self.log.succeeded(call, seconds)

    def hung_up(self, call: "Call", seconds: float) -> None:
        """The caller is gone before its call ended, so no answer reaches it."""
        self.counts.failed[grpc.StatusCode.CANCELLED] += 1
        self.counts.observe(seconds)
        self.log.interrupted(call, grpc.StatusCode.CANCELLED, seconds)

    async def refuse(self, call: "Call", error: BaseException, seconds: float, *, was_overdue: bool) -> bytes:
        """Ends the call with a status; never returns."""
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise error
        if isinstance(error, Refused):
            status, reason = status_of(error), error.reason
            self.log.refused(call, error, seconds)
        elif isinstance(error, asyncio.CancelledError):
            return await self._interrupt(call, error, seconds, was_overdue=was_overdue)
        else:
            status, reason = internal_status(call.correlation_id), Reason.INTERNAL
            self.log.broke(call, error, status.code, reason, seconds)
        return await self._abort(call, status, reason, seconds)

    async def _interrupt(self, call: "Call", error: BaseException, seconds: float, *, was_overdue: bool) -> bytes:
        """Answers a cancelled call. grpc.aio itself would send nothing, and a caller without a deadline would wait for
        ever.

        A caller that hung up does not receive it. But who cancelled can't be known for sure, so the answer is sent in
        any case.
        """
        task = asyncio.current_task()
        if was_overdue:
            refused = storage_unavailable(
                "the call took longer than the service allows; the same idempotency key finds out what became of it"
            )
            self.log.refused(call, refused, seconds)
        elif task is not None and task.cancelling():
            remaining = call.context.time_remaining()
            code = (
                grpc.StatusCode.CANCELLED if remaining is None or remaining > 0 else grpc.StatusCode.DEADLINE_EXCEEDED
            )
            self.log.interrupted(call, code, seconds)
            return await self._abort(call, status_of(conflict())._replace(code=code), None, seconds)
        elif self._edge.admission.draining:
            refused = shutting_down("the same idempotency key finds out what became of the call")
            self.log.refused(call, refused, seconds)
        else:
            refused = interrupted("call")
            self.log.broke(call, error, status_of(refused).code, refused.reason, seconds)
        return await self._abort(call, status_of(refused), refused.reason, seconds)

    async def _abort(self, call: "Call", status: Status, reason: Reason | None, seconds: float) -> bytes:
        self.counts.failed[status.code] += 1
        self.counts.observe(seconds)
        if reason is not None:
            self._edge.metrics.refusals[reason] += 1
        await call.context.abort(*status)
        raise AssertionError("abort raises")
