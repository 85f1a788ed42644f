"""What every stream of the event feed passes through: the steps of a unary call.

    errors → counts and log → deadline → admission → identity and scope → size and decoding → events, until the end

A consumer waits most of the time. So it is no call in flight; consumers have a bound of their own. One that reads
slowly holds one page of events, and is written the next when it has taken that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from prepaid.billing.v1 import events_pb2

from billing_service.api.outcome import Outcome
from billing_service.api.pipeline import REQUEST_BYTES_MAX, Call, Edge, required_scope
from billing_service.api.streams.streaming import IDENTITY_CHECKED_EVERY_S, compose, wake
from billing_service.domain.ledger.events import PlacedEvent
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.access import scope_missing
from billing_service.domain.refusals.serving import shutting_down
from billing_service.feed.tail import Feed

CONSUMERS_MAX: Final = 500
"""Of one process: each may hold a page of events."""
LOOK_EVERY_S: Final = 15.0
"""A consumer that waits looks by itself this often, and is told where the database is away."""
MOVE_EVERY_S: Final = 60.0
"""How often a consumer without events is told how far the feed was read, so that it resumes from there."""


class Wanted(NamedTuple):
    """What one consumer asks for."""

    account_id: str
    """Empty: every account."""
    kinds: frozenset[int]
    """Empty: every kind."""
    after: int | None
    from_now: bool

    def includes(self, event: PlacedEvent) -> bool:
        return (not self.account_id or event.account_id == self.account_id) and (
            not self.kinds or event.kind in self.kinds
        )


@dataclass(frozen=True, slots=True)
class FeedImplementation:
    """What a stream of events does."""

    read: Callable[[events_pb2.TailEventsRequest], Wanted]
    """Raises INVALID_FIELD."""
    encode: Callable[[PlacedEvent | None, int], bytes]
    """An event, or none, and the position that it leads to."""
    feed: Feed


def build_feed_handler(
    method: MethodDescriptor, implementation: FeedImplementation, edge: Edge
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of TailEvents."""
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
        wanted = implementation.read(request)
        if admission.feed_consumers >= CONSUMERS_MAX:
            raise admission.refuse()
        admission.in_flight -= 1  # it waits most of the time
        admission.feed_consumers += 1
        try:
            await FeedStream(call, task, wanted, implementation, identify).run()
        finally:
            admission.feed_consumers -= 1
            admission.in_flight += 1

    async def handle(raw: bytes, context: Any) -> None:
        await compose(partial(serve, raw), outcome, edge)(None, context)

    return grpc.unary_stream_rpc_method_handler(handle)


def _decode(raw: bytes) -> events_pb2.TailEventsRequest:
    if len(raw) > REQUEST_BYTES_MAX:
        raise invalid_field("request", f"{len(raw)} bytes; at most {REQUEST_BYTES_MAX} are taken")
    try:
        return events_pb2.TailEventsRequest.FromString(raw)
    except DecodeError:
        raise invalid_field("request", "the bytes are no message of this type, or a string is not UTF-8") from None


class FeedStream:
    """One live consumer."""

    def __init__(
        self,
        call: Call,
        task: "asyncio.Task[Any]",
        wanted: Wanted,
        implementation: FeedImplementation,
        identify: Callable[[Call], Awaitable[None]],
    ) -> None:
        self._call = call
        self._task = task
        self._wanted = wanted
        self._encode = implementation.encode
        self._feed = implementation.feed
        self._identify = identify
        self._identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S
        self._look_due = 0.0
        self._told = 0
        """The position that the consumer has."""
        self._told_s = 0.0
        self._waiting: asyncio.Future[None] | None = None
        self._ending = False

    async def run(self) -> None:
        """Until the caller leaves. Raises what else ended the stream."""
        admission = self._call.edge.admission
        admission.streams.add(self.drain)
        if admission.streams_ended:  # while the caller was being identified
            self.drain()
        try:
            await self._go_on(await self._feed.begin(self._wanted.after, from_now=self._wanted.from_now))
        finally:
            admission.streams.discard(self.drain)

    def drain(self) -> None:
        self._ending = True
        wake(self._waiting)

    async def _go_on(self, position: int) -> None:
        await self._write(None, position)
        while True:
            await self._check()
            if self._feed.head.last_position > position or monotonic() >= self._look_due:
                events = await self._feed.read(position)
                self._look_due = monotonic() + LOOK_EVERY_S
                for event in events:
                    position = event.position
                    if self._wanted.includes(event):
                        await self._check()
                        await self._write(event, position)
                if events:
                    continue
            if position > self._told and monotonic() >= self._told_s + MOVE_EVERY_S:
                await self._write(None, position)
            await self._wait(position)

    async def _check(self) -> None:
        """Raises what ends the stream between two messages."""
        if self._ending:
            raise shutting_down("resume after the last position")
        if monotonic() >= self._identity_due:
            await self._identify(self._call)
            self._identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S

    async def _write(self, event: PlacedEvent | None, position: int) -> None:
        """The time of a call is for each write: a caller that does not read must not hold its place for ever."""
        self._call.edge.overdue.watch(self._task, monotonic())
        await self._call.context.write(self._encode(event, position))
        self._call.edge.overdue.forget(self._task)
        self._told, self._told_s = position, monotonic()

    async def _wait(self, position: int) -> None:
        """For events, for the end, or for the next look at the caller's key or at the feed."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._feed.head.follow(self._waiting, position)
        until_s = min(self._identity_due, self._look_due)
        timer = loop.call_later(until_s - monotonic(), wake, self._waiting)
        try:
            await self._waiting
        finally:
            self._waiting.cancel()
            timer.cancel()
