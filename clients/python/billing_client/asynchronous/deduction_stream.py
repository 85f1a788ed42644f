"""A stream of deductions that outlives its connections. Its blocking twin is this one in a thread of its own."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

import grpc
from prepaid.billing.v1.transactions_pb2 import (
    DeductCreditsRequest,
    DeductCreditsResponse,
    StreamDeductionsRequest,
    StreamDeductionsResponse,
)

from billing_client.asynchronous.connection import Connection
from billing_client.deadlines import timeout_s_of
from billing_client.deductions import OUTSTANDING_MAX, Deduction, result_of, unknown_outcome
from billing_client.error_details import billing_error
from billing_client.errors import BillingError, Failure, Refusal

RECONNECT_BACKOFF_S = 0.05
RECONNECT_BACKOFF_MAX_S = 1.0
RECONNECTED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""How a stream ends that another one takes over: at a restart or a connection's end of life."""
RECONNECTED_WITHOUT_REASON = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
"""What gRPC says when a connection breaks in the middle, and of any end that a write runs into. The service gives its own a reason."""

Call: TypeAlias = "grpc.aio.StreamStreamCall[StreamDeductionsRequest, StreamDeductionsResponse]"


@dataclass(slots=True, eq=False)
class _Sent:
    request: DeductCreditsRequest
    answer: "asyncio.Future[DeductCreditsResponse]"
    due: float
    """When it is given up, in the event loop's time."""
    is_sent: bool = False
    is_uncertain: bool = False
    """Whether it was sent on a stream that broke, and so may have happened."""


class DeductionStream:
    """Sends deductions one after the other, many before the first is answered. Use it in an `async with`, which waits for all answers.

    Belongs to the event loop that runs when it is made. A connection that breaks is made anew, and what has no answer is sent again
    with the same keys and in the same order: each has its effect once.
    """

    def __init__(self, open_call: Callable[[], Call], *, timeout_s: float, outstanding_max: int) -> None:
        if not 1 <= outstanding_max <= OUTSTANDING_MAX:
            raise ValueError(f"outstanding_max must be 1 to {OUTSTANDING_MAX}")
        self._open_call = open_call
        self._timeout_s = timeout_s
        self._outstanding_max = outstanding_max
        self._loop = asyncio.get_running_loop()
        self._outstanding: deque[_Sent] = deque()
        self._unsent: deque[_Sent] = deque()
        """Those of the outstanding that the connection of now has not been given."""
        self._changed = asyncio.Condition()
        self._conversation: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._backoff_s = RECONNECT_BACKOFF_S
        self._closing = False
        self._broken: Exception | None = None
        self._task = self._loop.create_task(self._run())

    @property
    def outstanding(self) -> int:
        """Deductions that were sent and have no answer yet."""
        return len(self._outstanding)

    async def send(self, deduction: Deduction) -> "asyncio.Future[DeductCreditsResponse]":
        """Send one; waits only while too many have no answer. The future has its answer, or raises what `deduct_credits` would raise.

        Raises what ended the stream once it has ended, and Failure when there was no room in time: this one was not sent then.
        """
        request, due = deduction.request(), self._loop.time() + self._timeout_s
        try:
            async with asyncio.timeout_at(due), self._changed:
                await self._changed.wait_for(
                    lambda: self._broken is not None or self._closing or len(self._outstanding) < self._outstanding_max
                )
        except TimeoutError:
            raise Failure("too many deductions have no answer", rpc="DeductCredits", idempotency_key=request.idempotency_key) from None
        if self._broken is not None:
            raise _error(self._broken, request) from self._broken
        if self._closing:
            raise ValueError("the stream is closed")
        sent = _Sent(request, self._loop.create_future(), due)
        self._outstanding.append(sent)
        self._unsent.append(sent)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._give_up_overdue)
        await self._tell()
        return sent.answer

    async def close(self) -> None:
        """Wait for all answers, and end."""
        self._closing = True
        await self._tell()
        await asyncio.shield(self._task)

    async def abandon(self) -> None:
        """End at once. What has no answer may have happened; its futures say so."""
        self._closing = True
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._fail(grpc.aio.UsageError("the stream was abandoned"))
        await self._tell()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is None:
            await self.close()
        else:
            await self.abandon()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _run(self) -> None:
        """One conversation after the other, until all is answered and no more will come."""
        try:
            while self._broken is None and await self._something_to_send():
                self._conversation = self._loop.create_task(self._converse())
                try:
                    await asyncio.wait((self._conversation,))
                finally:
                    self._conversation.cancel()
                if self._conversation.cancelled():
                    self._doubt()
                    continue  # the oldest was overdue: those after it go on over another connection
                ended = self._conversation.exception()
                if isinstance(ended, Exception) and not _is_broken(ended):
                    self._fail(ended)
                    await self._tell()
                elif self._outstanding:
                    self._doubt()
                    await asyncio.sleep(self._backoff_s * random.uniform(0.5, 1))  # noqa: S311 - spreads callers, no more
                    self._backoff_s = min(self._backoff_s * 2, RECONNECT_BACKOFF_MAX_S)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _something_to_send(self) -> bool:
        async with self._changed:
            await self._changed.wait_for(lambda: self._outstanding or self._closing)
        return bool(self._outstanding)

    async def _converse(self) -> None:
        """Over one connection: sends what has no answer, then what comes. Raises what ended it, and nothing when all is answered."""
        self._unsent = deque(self._outstanding)
        call = self._open_call()
        writing = self._loop.create_task(self._write(call))
        try:
            sequence = 0
            while (response := await call.read()) is not grpc.aio.EOF:
                sequence += 1
                assert isinstance(response, StreamDeductionsResponse)
                if response.sequence != sequence or not self._outstanding:
                    raise grpc.aio.UsageError(f"answer {response.sequence} came in place of {sequence}")
                await self._answered(self._outstanding.popleft(), response)
        finally:
            writing.cancel()
            call.cancel()

    async def _write(self, call: Call) -> None:
        is_accepted = False
        try:
            while True:
                while self._unsent:
                    sent = self._unsent.popleft()
                    sent.is_sent = True
                    await call.write(StreamDeductionsRequest(deduction=sent.request))
                    if not is_accepted:
                        # A write that runs into the end of its stream hides the status, so a refused stream is given one to refuse.
                        await call.initial_metadata()
                        is_accepted = True
                if self._closing:
                    await call.done_writing()
                    return
                async with self._changed:
                    await self._changed.wait_for(lambda: self._unsent or self._closing)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # whoever reads is told why

    async def _answered(self, sent: _Sent, response: StreamDeductionsResponse) -> None:
        self._backoff_s = RECONNECT_BACKOFF_S
        result = result_of(response.outcome, sent.request)
        if not sent.answer.done():
            if isinstance(result, BillingError):
                sent.answer.set_exception(result)
            else:
                sent.answer.set_result(result)
        await self._tell()

    def _give_up_overdue(self) -> None:
        self._timer = None
        now, overdue = self._loop.time(), False
        while self._outstanding and self._outstanding[0].due <= now + 0.001:  # asyncio's clock steps by about a millisecond
            _give_up(self._outstanding.popleft(), None)
            overdue = True
        if self._outstanding:
            self._timer = self._loop.call_at(self._outstanding[0].due, self._give_up_overdue)
        if overdue and self._conversation is not None:
            self._conversation.cancel()

    def _doubt(self) -> None:
        for sent in self._outstanding:
            sent.is_uncertain |= sent.is_sent

    def _fail(self, why: Exception) -> None:
        self._broken = self._broken or why
        while self._outstanding:
            _give_up(self._outstanding.popleft(), why)


def _give_up(sent: _Sent, why: Exception | None) -> None:
    """A stream that was refused has begun nothing of what it did not answer; nothing else is known of what was sent before."""
    if sent.answer.done():
        return
    error = None if why is None else _error(why, sent.request)
    if not isinstance(error, Refusal) or sent.is_uncertain:
        error = unknown_outcome(sent.request, why)
    error.__cause__ = why
    sent.answer.set_exception(error)


def _is_broken(ended: Exception) -> bool:
    """Whether another stream may take over."""
    if not isinstance(ended, grpc.aio.AioRpcError):
        return False
    without_reason = ended.code() in RECONNECTED_WITHOUT_REASON and not billing_error(ended, DeductCreditsRequest()).reason
    return ended.code() in RECONNECTED or without_reason


def _error(why: Exception, request: DeductCreditsRequest) -> BillingError:
    if isinstance(why, grpc.aio.AioRpcError):
        return billing_error(why, request)
    return Failure(f"the stream has ended: {why}", rpc="DeductCredits", idempotency_key=request.idempotency_key)


class DeductionStreamMethods(Connection):
    def stream_deductions(self, *, timeout_s: float | None = None, outstanding_max: int = OUTSTANDING_MAX) -> DeductionStream:
        """A stream of deductions, for `async with`. See `DeductionStream`.

        `timeout_s` is for each deduction, from `send` to its answer, reconnections included; then its outcome is unknown.
        `outstanding_max`, 1 to 256, is how many may be without an answer.
        """

        def open_call() -> Any:
            return self._billing.StreamDeductions(metadata=self._metadata)

        seconds = timeout_s_of(StreamDeductionsRequest(), timeout_s)
        return DeductionStream(open_call, timeout_s=seconds, outstanding_max=outstanding_max)
