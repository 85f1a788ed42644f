"""A stream of deductions that outlives its connections. Its blocking twin is this one in a thread of its own."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias, overload

import grpc
from prepaid.billing.v1.transactions_pb2 import (
    DeductCreditsRequest,
    DeductCreditsResponse,
    StreamDeductionsRequest,
    StreamDeductionsResponse,
)

from billing_client.deductions import OUTSTANDING_MAX, Deduction, request_of, unanswered
from billing_client.error_details import billing_error
from billing_client.errors import BillingError, Failure, OutcomeUnknown
from billing_client.operations import HoldRequest, OperationRequest, OperationResponse, result_of, rpc_of, streamed
from billing_client.retries import ATTEMPTS_MAX, is_worth_repeating, pause_s, verdict

RECONNECT_BACKOFF_S = 0.05
RECONNECT_BACKOFF_MAX_S = 1.0
CLOCK_STEP_S = 0.001
"""How early asyncio's timers may come."""

Call: TypeAlias = "grpc.aio.StreamStreamCall[StreamDeductionsRequest, StreamDeductionsResponse]"


@dataclass(slots=True, eq=False)
class _Sent:
    request: OperationRequest
    answer: "asyncio.Future[Any]"
    due: float
    """When it is given up, in the event loop's time."""
    is_sent: bool = False
    is_uncertain: bool = False
    """Whether it was sent on a stream that broke, or failed for a reason that may have come after its effect."""
    failures: int = 0
    """Answers that asked for another attempt."""

    def give_up(self, why: Exception | None) -> None:
        """Answers what got no answer: in time, or before `why` ended the stream."""
        if not self.answer.done():
            known = _error(why, self.request) if isinstance(why, grpc.aio.AioRpcError) else None
            error = unanswered(self.request, why, known, is_sent=self.is_sent, is_uncertain=self.is_uncertain)
            error.__cause__ = why
            self.answer.set_exception(error)


class DeductionStream:
    """Sends deductions one after the other, many before the first is answered. Use it in an `async with`, which waits
    for all answers.

    Belongs to the event loop that runs when it is made. A connection that breaks is made anew, and what has no answer
    is sent again with the same keys and in the same order: each has its effect once. What is answered UNAVAILABLE is
    sent again by itself.
    """

    def __init__(self, open_call: Callable[[], Awaitable[Call]], *, timeout_s: float, outstanding_max: int) -> None:
        if not 1 <= outstanding_max <= OUTSTANDING_MAX:
            raise ValueError(f"outstanding_max must be 1 to {OUTSTANDING_MAX}")
        self._open_call = open_call
        self._timeout_s = timeout_s
        self._outstanding_max = outstanding_max
        self._loop = asyncio.get_running_loop()
        self._outstanding: deque[_Sent] = deque()
        self._unsent: deque[_Sent] = deque()
        """Those of the outstanding that the connection of now has not been given."""
        self._resting: set[_Sent] = set()
        """Those that will be sent again after a pause."""
        self._telling: set[asyncio.Task[None]] = set()
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
        return len(self._outstanding) + len(self._resting)

    @overload
    async def send(self, deduction: Deduction) -> "asyncio.Future[DeductCreditsResponse]": ...

    @overload
    async def send(self, deduction: HoldRequest) -> "asyncio.Future[OperationResponse]": ...

    async def send(self, deduction: Deduction | HoldRequest) -> "asyncio.Future[Any]":
        """Send one deduction, or one request of a hold, such as CaptureHoldRequest; waits only while too many have no
        answer. The future has its answer, or raises what its own method would raise.

        Raises what ended the stream once it has ended, and Failure when there was no room in time: this one was not
        sent then.
        """
        request, due = request_of(deduction), self._loop.time() + self._timeout_s
        try:
            async with asyncio.timeout_at(due), self._changed:
                await self._changed.wait_for(
                    lambda: self._broken is not None or self._closing or self.outstanding < self._outstanding_max
                )
        except TimeoutError:
            raise Failure(
                "too many deductions have no answer", rpc=rpc_of(request), idempotency_key=request.idempotency_key
            ) from None
        if self._broken is not None:
            raise _error(self._broken, request) from self._broken
        if self._closing:
            raise ValueError("the stream is closed")
        sent = _Sent(request, self._loop.create_future(), due)
        self._join(sent)
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

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
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
                    # Spreads callers, no more.
                    await asyncio.sleep(self._backoff_s * random.uniform(0.5, 1))  # noqa: S311
                    self._backoff_s = min(self._backoff_s * 2, RECONNECT_BACKOFF_MAX_S)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _join(self, sent: _Sent) -> None:
        self._outstanding.append(sent)
        self._unsent.append(sent)
        if self._timer is None or sent.due < self._timer.when():
            self._set_timer(sent.due)

    def _is_ending(self) -> bool:
        """Whether nothing more will be sent."""
        return self._closing and not self._resting

    async def _something_to_send(self) -> bool:
        async with self._changed:
            await self._changed.wait_for(lambda: self._outstanding or self._is_ending())
        return bool(self._outstanding)

    async def _converse(self) -> None:
        """Over one connection: sends what has no answer, then what comes. Raises what ended it, and nothing when all is
        answered."""
        self._unsent = deque(self._outstanding)
        call = await self._open_call()
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
                    await call.write(streamed(sent.request))
                    if not is_accepted:
                        # A write that runs into the end of its stream hides the status, so a refused stream is given
                        # one to refuse.
                        await call.initial_metadata()
                        is_accepted = True
                if self._is_ending():
                    await call.done_writing()
                    return
                async with self._changed:
                    await self._changed.wait_for(lambda: self._unsent or self._is_ending())
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # `_converse` reads why

    async def _answered(self, sent: _Sent, response: StreamDeductionsResponse) -> None:
        self._backoff_s = RECONNECT_BACKOFF_S
        result = result_of(response.outcome, sent.request)
        if not sent.answer.done():
            if not isinstance(result, BillingError):
                sent.answer.set_result(result)
            elif not self._rests(sent, result):
                sent.answer.set_exception(verdict(result, uncertain=sent.is_uncertain))
        await self._tell()

    def _rests(self, sent: _Sent, failure: BillingError) -> bool:
        """Whether it is sent again after a pause."""
        sent.failures += 1
        pause = pause_s(sent.failures, failure.retry_after_s)
        if not is_worth_repeating(failure) or sent.failures >= ATTEMPTS_MAX or self._loop.time() + pause >= sent.due:
            return False
        sent.is_uncertain |= isinstance(failure, OutcomeUnknown)
        self._resting.add(sent)
        self._loop.call_later(pause, self._rejoin, sent)
        return True

    def _rejoin(self, sent: _Sent) -> None:
        self._resting.discard(sent)
        if not sent.answer.done():
            self._join(sent)
        telling = self._loop.create_task(self._tell())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    def _set_timer(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._give_up_overdue)

    def _give_up_overdue(self) -> None:
        """The others go on over another connection: on this one, answers are known by their position alone."""
        self._timer = None
        now = self._loop.time() + CLOCK_STEP_S
        overdue = [sent for sent in self._outstanding if sent.due <= now]
        self._outstanding = deque(sent for sent in self._outstanding if sent.due > now)
        for sent in overdue:
            sent.give_up(None)
        if self._outstanding:
            self._set_timer(min(sent.due for sent in self._outstanding))
        if overdue and self._conversation is not None:
            self._conversation.cancel()

    def _doubt(self) -> None:
        for sent in self._outstanding:
            sent.is_uncertain |= sent.is_sent

    def _fail(self, why: Exception) -> None:
        self._broken = self._broken or why
        for sent in (*self._outstanding, *self._resting):
            sent.give_up(why)
        self._outstanding.clear()
        self._resting.clear()


def _is_broken(ended: Exception) -> bool:
    """Whether another stream may take over."""
    return isinstance(ended, grpc.aio.AioRpcError) and is_worth_repeating(billing_error(ended, DeductCreditsRequest()))


def _error(why: Exception, request: OperationRequest) -> BillingError:
    if isinstance(why, grpc.aio.AioRpcError):
        return billing_error(why, request)
    return Failure(f"the stream has ended: {why}", rpc=rpc_of(request), idempotency_key=request.idempotency_key)
