"""A stream of deductions over several addresses: a stream for each, and the answers in the order of the requests."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, overload

from prepaid.billing.v1.transactions_pb2 import DeductCreditsResponse

from billing_client.asynchronous.deduction_stream import DeductionStream
from billing_client.deductions import OUTSTANDING_MAX, Deduction, request_of
from billing_client.errors import Failure
from billing_client.operations import HoldRequest, OperationResponse, rpc_of
from billing_client.routing import Routes


class RoutedDeductionStream:
    """As `DeductionStream`. An account's deductions stay on one connection while any of them has no answer, so that
    they keep their order when an address comes or goes."""

    def __init__(
        self, routes: Routes, open_stream: Callable[[str], DeductionStream], *, timeout_s: float, outstanding_max: int
    ) -> None:
        """`open_stream` makes the stream of the address that is first in an account's order."""
        if not 1 <= outstanding_max <= OUTSTANDING_MAX:
            raise ValueError(f"outstanding_max must be 1 to {OUTSTANDING_MAX}")
        self._routes = routes
        self._open_stream = open_stream
        self._timeout_s = timeout_s
        self._room = asyncio.Semaphore(outstanding_max)
        self._streams: dict[str, DeductionStream] = {}
        self._busy: dict[str, list[Any]] = {}
        """By account: the address of its stream, and how many of its deductions have no answer."""
        self._in_order: deque[tuple[asyncio.Future[Any], asyncio.Future[Any]]] = deque()
        """Answers as they come, and as they are shown."""
        self._closed = False

    @property
    def outstanding(self) -> int:
        """Deductions that were sent and have no answer yet."""
        return sum(stream.outstanding for stream in self._streams.values())

    @overload
    async def send(self, deduction: Deduction) -> "asyncio.Future[DeductCreditsResponse]": ...

    @overload
    async def send(self, deduction: HoldRequest) -> "asyncio.Future[OperationResponse]": ...

    async def send(self, deduction: Deduction | HoldRequest) -> "asyncio.Future[Any]":
        """As `DeductionStream.send`."""
        if self._closed:
            raise ValueError("the stream is closed")
        request = request_of(deduction)
        try:
            await asyncio.wait_for(self._room.acquire(), self._timeout_s)
        except TimeoutError:
            raise Failure(
                "too many deductions have no answer", rpc=rpc_of(request), idempotency_key=request.idempotency_key
            ) from None
        account_id = request.account_id
        home = self._busy.setdefault(account_id, [self._routes.choose(account_id), 0])
        home[1] += 1
        try:
            stream = self._streams.get(home[0])
            if stream is None:
                stream = self._streams[home[0]] = self._open_stream(account_id)
            send: Callable[[Any], Awaitable[asyncio.Future[Any]]] = stream.send
            came = await send(deduction)
        except BaseException:
            self._answered(account_id)
            raise
        shown: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._in_order.append((came, shown))
        came.add_done_callback(lambda _: self._answered(account_id))
        return shown

    def _answered(self, account_id: str) -> None:
        self._room.release()
        home = self._busy[account_id]
        home[1] -= 1
        if not home[1]:
            del self._busy[account_id]
        while self._in_order and self._in_order[0][0].done():
            _pass_on(*self._in_order.popleft())

    async def close(self) -> None:
        """Wait for all answers, and end."""
        self._closed = True
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))
        await asyncio.sleep(0)  # what came last is shown

    async def abandon(self) -> None:
        """End at once. What has no answer may have happened; its futures say so."""
        self._closed = True
        await asyncio.gather(*(stream.abandon() for stream in self._streams.values()))
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
        else:
            await self.abandon()


def _pass_on(came: "asyncio.Future[Any]", shown: "asyncio.Future[Any]") -> None:
    if shown.done():
        return
    error = came.exception()
    if error is None:
        shown.set_result(came.result())
    else:
        shown.set_exception(error)
