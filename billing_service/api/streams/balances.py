"""What every stream that watches a balance passes through: the steps of a unary call.

    errors → counts and log → deadline → admission → identity and scope → size and decoding → balances, until the end

A watcher lasts for as long as its caller wants, and waits most of the time. So it is no call in flight; watchers have a
bound of their own. A caller that reads slowly costs one message that waits: whatever changed meanwhile is shown as one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from prepaid.billing.v1 import accounts_pb2

from billing_service.api.outcome import Outcome
from billing_service.api.pipeline import REQUEST_BYTES_MAX, Call, Edge, required_scope
from billing_service.api.streams.streaming import IDENTITY_CHECKED_EVERY_S, compose, wake
from billing_service.api.streams.watched_balances import WatchedBalances
from billing_service.commands.accounts.watch_balance import Shown
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.access import scope_missing
from billing_service.domain.refusals.serving import shutting_down

WATCHERS_MAX: Final = 5_000
"""Of one process: some 20 KB each, most of it gRPC's."""


@dataclass(frozen=True, slots=True)
class WatchImplementation:
    """What a stream of balances does."""

    check: Callable[[accounts_pb2.WatchBalanceRequest], None]
    """Raises INVALID_FIELD."""
    encode: Callable[[Balance], bytes]
    watched: WatchedBalances


def build_watch_handler(
    method: MethodDescriptor, implementation: WatchImplementation, edge: Edge
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of WatchBalance."""
    scope, outcome, admission = required_scope(method), Outcome(method, edge), edge.admission

    async def identify(call: Call) -> None:
        identity = edge.authenticator.recognise(call.context) or await edge.authenticator.authenticate(call.context)
        if scope not in identity.scopes:
            raise scope_missing(scope.value)
        call.identify(identity)

    async def serve(raw: bytes, call: Call, task: "asyncio.Task[Any]") -> None:
        edge.overdue.watch(task, monotonic())
        await identify(call)
        request = call.request = _decode(raw)
        call.require_account(request.account_id)
        implementation.check(request)
        if admission.watchers >= WATCHERS_MAX:
            raise admission.refuse()
        admission.in_flight -= 1  # it waits most of the time
        admission.watchers += 1
        try:
            await BalanceStream(call, task, request, implementation, identify).run()
        finally:
            admission.watchers -= 1
            admission.in_flight += 1

    async def handle(raw: bytes, context: Any) -> None:
        await compose(partial(serve, raw), outcome, edge)(None, context)

    return grpc.unary_stream_rpc_method_handler(handle)


def _decode(raw: bytes) -> accounts_pb2.WatchBalanceRequest:
    if len(raw) > REQUEST_BYTES_MAX:
        raise invalid_field("request", f"{len(raw)} bytes; at most {REQUEST_BYTES_MAX} are taken")
    try:
        return accounts_pb2.WatchBalanceRequest.FromString(raw)
    except DecodeError:
        raise invalid_field("request", "the bytes are no message of this type, or a string is not UTF-8") from None


class BalanceStream:
    """One live watcher."""

    def __init__(
        self,
        call: Call,
        task: "asyncio.Task[Any]",
        request: accounts_pb2.WatchBalanceRequest,
        implementation: WatchImplementation,
        identify: Callable[[Call], Awaitable[None]],
    ) -> None:
        self._call = call
        self._task = task
        self._request = request
        self._encode = implementation.encode
        self._watched = implementation.watched
        self._identify = identify
        self._next: Balance | None = None
        """The newest that is not sent yet. A newer one takes its place."""
        self._waiting: asyncio.Future[None] | None = None
        self._end: BaseException | None = None

    @property
    def account_id(self) -> str:
        return self._request.account_id

    async def run(self) -> None:
        """Until the caller leaves. Raises what else ended the stream."""
        admission = self._call.edge.admission
        admission.streams.add(self.drain)
        if admission.streams_ended:  # while the caller was being identified
            self.drain()
        self._watched.join(self)
        try:
            await self._write()
        finally:
            self._watched.leave(self)
            admission.streams.discard(self.drain)

    def drain(self) -> None:
        self.end(shutting_down("watch again after the last version"))

    def show(self, shown: Shown) -> None:
        """Takes the account as it was read, in order."""
        self._next = shown.balance
        wake(self._waiting)

    def end(self, why: BaseException) -> None:
        if self._end is None:
            self._end = why
        wake(self._waiting)

    async def _write(self) -> None:
        """The first balance always, later ones where they show something else. The time of a call is for the first and
        for each write: a caller that does not read must not hold its place for ever."""
        write, overdue = self._call.context.write, self._call.edge.overdue
        sent: Balance | None = None
        identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S
        while True:
            if self._end is not None:
                raise self._end
            if monotonic() >= identity_due:
                await self._identify(self._call)
                identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S
            balance, self._next = self._next, None
            if balance is None:
                await self._news(identity_due)
                continue
            if sent is None:
                self._check_version(balance)
            elif balance.shows_same(sent):
                continue
            overdue.watch(self._task, monotonic())
            await write(self._encode(balance))
            overdue.forget(self._task)
            sent = balance

    async def _news(self, until_s: float) -> None:
        """Waits for a balance, for the end, or for the next look at the caller's key."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(until_s - monotonic(), wake, self._waiting)
        try:
            await self._waiting
        finally:
            timer.cancel()

    def _check_version(self, balance: Balance) -> None:
        if self._request.after_version > balance.version:
            raise invalid_field("after_version", f"the account has not come so far: it is at version {balance.version}")
