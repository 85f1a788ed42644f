"""A stream of deductions that outlives its connections: the asynchronous one, in a thread with an event loop of its
own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeAlias, overload

from prepaid.billing.v1.transactions_pb2 import DeductCreditsResponse

from billing_client.asynchronous import deduction_stream as asynchronous
from billing_client.asynchronous.routed_stream import RoutedDeductionStream
from billing_client.asynchronous.streams import DeductionStreamMethods
from billing_client.deductions import Deduction
from billing_client.headers import Headers
from billing_client.operations import HoldRequest, OperationResponse
from billing_client.options import ClientOptions

Stream: TypeAlias = asynchronous.DeductionStream | RoutedDeductionStream


class DeductionStream:
    """Sends deductions one after the other, many before the first is answered. Use it in a `with`, which waits for all
    answers.

    Safe to share among threads. A connection that breaks is made anew, and what has no answer is sent again with the
    same keys and in the same order: each has its effect once.
    """

    def __init__(
        self, options: ClientOptions, *, timeout_s: float, outstanding_max: int, headers: Headers | None
    ) -> None:
        started: Future[tuple[asyncio.AbstractEventLoop, Stream]] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run,
            args=(options, timeout_s, outstanding_max, headers, started),
            name="billing-deductions",
            daemon=True,
        )
        self._thread.start()
        self._loop, self._stream = started.result()

    @property
    def outstanding(self) -> int:
        """Deductions that were sent and have no answer yet."""
        return self._stream.outstanding

    @overload
    def send(self, deduction: Deduction) -> "Future[DeductCreditsResponse]": ...

    @overload
    def send(self, deduction: HoldRequest) -> "Future[OperationResponse]": ...

    def send(self, deduction: Deduction | HoldRequest) -> "Future[Any]":
        """Send one deduction, or one request of a hold, such as CaptureHoldRequest; waits only while too many have no
        answer. The future has its answer, or raises what its own method would raise.

        Raises what ended the stream once it has ended, and Failure when there was no room in time: this one was not
        sent then.
        """
        answer: Future[Any] = Future()
        answer.set_running_or_notify_cancel()  # it is on its way, and can't be called back
        if self._ended.done():
            raise ValueError("the stream is closed")
        asyncio.run_coroutine_threadsafe(self._send(deduction, answer), self._loop).result()
        return answer

    def close(self) -> None:
        """Wait for all answers, and end. May be called again."""
        self._end(abandon=False)

    def abandon(self) -> None:
        """End at once. What has no answer may have happened; its futures say so."""
        self._end(abandon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(abandon=error is not None)

    def _end(self, *, abandon: bool) -> None:
        if not self._ended.done():
            ending = self._stream.abandon() if abandon else self._stream.close()
            asyncio.run_coroutine_threadsafe(ending, self._loop).result()
            if not self._ended.done():
                self._ended.set_result(None)
                self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()

    async def _send(self, deduction: Deduction | HoldRequest, answer: "Future[Any]") -> None:
        send: Callable[[Any], Awaitable[asyncio.Future[Any]]] = self._stream.send
        sent = await send(deduction)
        sent.add_done_callback(lambda done: _pass_on(done, answer))

    def _run(
        self,
        options: ClientOptions,
        timeout_s: float,
        outstanding_max: int,
        headers: Headers | None,
        started: "Future[tuple[asyncio.AbstractEventLoop, Stream]]",
    ) -> None:
        async def run() -> None:
            self._leave = asyncio.Event()
            async with DeductionStreamMethods(options) as connection:
                stream = connection.stream_deductions(
                    timeout_s=timeout_s, outstanding_max=outstanding_max, headers=headers
                )
                started.set_result((asyncio.get_running_loop(), stream))
                await self._leave.wait()

        try:
            asyncio.run(run())
        except BaseException as failure:
            if started.done():
                raise
            started.set_exception(failure)


def _pass_on(done: "asyncio.Future[Any]", answer: "Future[Any]") -> None:
    error = done.exception()
    if error is None:
        answer.set_result(done.result())
    else:
        answer.set_exception(error)
