"""What every stream of requests passes through: the steps of a unary call, some of them for each request on it.

    errors → counts and log → deadline → admission → identity and scope
        → for each request: size and decoding → implementation → answer

One task reads and one writes, however many requests wait. A task for each request would cost more than the ledger does,
and so would an await beyond reading it and writing its answer. Answers leave in the order of the requests. A stream
lives as long as its caller wants. Each request on it has the time that a call has.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, Generic, NamedTuple, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from billing_service.api.admission import weight_of
from billing_service.api.deadlines import REMAINING_MIN_MS, REMAINING_MIN_S
from billing_service.api.late import Late
from billing_service.api.outcome import Outcome
from billing_service.api.pipeline import REQUEST_BYTES_MAX, Call, Edge, required_scope
from billing_service.domain.refusals import Refused, invalid_field
from billing_service.domain.refusals.access import scope_missing
from billing_service.domain.refusals.serving import deadline_too_short, shutting_down

UNANSWERED_MAX: Final = 256
"""Requests of one stream that wait for their answers: half a batch of the ledger. More would wait here instead of at
their sender."""
IDENTITY_CHECKED_EVERY_S: Final = 2.0
"""With the time that a key is trusted without a look, a revocation acts within 7 of the 10 seconds that are
promised."""

Result = TypeVar("Result")


class StreamImplementation(NamedTuple, Generic[Result]):
    """What a stream does with each request."""

    begin: Callable[[Any, Call], "asyncio.Future[Result] | Late[Result] | Exception"]
    """Takes the decoded request, returns at once and never raises: what is begun goes on though the stream ends. After
    what is late, nothing is read until it was submitted."""
    encode: Callable[[int, "asyncio.Future[Result] | Exception", Any, Call], bytes]
    """The answer to the request of this position, from 1, once it is done; a future that is cancelled took longer than
    a call may. The request is None where it could not be decoded."""


def build_stream_handler(
    method: MethodDescriptor,
    implementation: StreamImplementation[Any],
    edge: Edge,
    *,
    request_bytes_max: int = REQUEST_BYTES_MAX,
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """The handler of one method that streams both ways. ValueError for any other."""
    if not (method.client_streaming and method.server_streaming):
        raise ValueError(f"{method.full_name} does not stream both ways")
    scope, parse = required_scope(method), GetMessageClass(method.input_type).FromString

    async def identify(call: Call) -> None:
        identity = edge.authenticator.recognise(call.context) or await edge.authenticator.authenticate(call.context)
        if scope not in identity.scopes:
            raise scope_missing(scope.value)
        call.identify(identity)

    def decode(raw: bytes) -> Any:
        if len(raw) > request_bytes_max:
            raise invalid_field("request", f"{len(raw)} bytes; at most {request_bytes_max} are taken")
        try:
            return parse(raw)
        except DecodeError:
            raise invalid_field("request", "the bytes are no message of this type, or a string is not UTF-8") from None

    async def serve(call: Call, task: "asyncio.Task[Any]") -> None:
        edge.overdue.watch(task, monotonic())
        await identify(call)
        edge.overdue.forget(task)
        await call.context.send_initial_metadata(())  # a caller may wait for this before its first request
        await _Stream(call, task, implementation, decode, identify).run()

    return grpc.stream_stream_rpc_method_handler(compose(serve, Outcome(method, edge), edge))


def compose(
    serve: Callable[[Call, "asyncio.Task[Any]"], Awaitable[None]], outcome: Outcome, edge: Edge
) -> Callable[[object, Any], Awaitable[None]]:
    admission, overdue, counts = edge.admission, edge.overdue, outcome.counts

    async def handle(_requests: object, context: Any) -> None:
        started = monotonic()
        counts.started += 1
        call = Call(outcome.name, context)
        call.edge = edge
        was_overdue, task = False, asyncio.current_task()
        assert task is not None, "a coroutine that runs has a task"
        try:
            remaining = context.time_remaining()
            if remaining is not None and remaining < REMAINING_MIN_S:
                raise deadline_too_short(REMAINING_MIN_MS)  # noqa: TRY301 - answered as whatever else is raised here
            call.deadline = started + (float("inf") if remaining is None else remaining)
            admission.take_stream()
            try:
                await serve(call, task)
            finally:
                admission.in_flight -= 1
                was_overdue = overdue.forget(task)
        except grpc.aio.BaseError:
            outcome.hung_up(call, monotonic() - started)
            raise asyncio.CancelledError from None  # no caller is left to answer
        except BaseException as error:  # noqa: BLE001 - the outermost layer: whatever happened, the caller gets a definite status
            await outcome.refuse(call, error, monotonic() - started, was_overdue=was_overdue)
        else:
            outcome.succeed(call, monotonic() - started)

    return handle


class _Stream(Generic[Result]):
    """One live stream."""

    def __init__(
        self,
        call: Call,
        task: "asyncio.Task[Any]",
        implementation: StreamImplementation[Result],
        decode: Callable[[bytes], Any],
        identify: Callable[[Call], Awaitable[None]],
    ) -> None:
        self._call = call
        self._task = task
        self._begin, self._encode = implementation
        self._decode = decode
        self._identify = identify
        self._identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S
        self._admission = call.edge.admission
        self._weight = 0
        self._unanswered: deque[tuple[float, asyncio.Future[Result] | Exception, Any]] = deque()
        """When each was read, what was begun, and the request; oldest first."""
        self._waiting_writer: asyncio.Future[None] | None = None
        self._waiting_reader: asyncio.Future[None] | None = None
        self._reading = True
        self._end: BaseException | None = None
        """Why no more is read though the caller may have more to say."""

    async def run(self) -> None:
        """Until the caller has half-closed and has all its answers. Raises what else ended the stream, once what was
        read is answered."""
        self._admission.streams.add(self.drain)
        if self._admission.streams_ended:  # while the caller was being identified
            self.drain()
        reader = asyncio.get_running_loop().create_task(self._read())
        try:
            await self._write()
        finally:
            self._admission.streams.discard(self.drain)
            reader.cancel()
            self._leave()
        if self._end is not None:
            raise self._end

    def drain(self) -> None:
        """Reads no more; the stream ends once what was read is answered."""
        self._stop(shutting_down("repeat what has no answer with the same idempotency keys"))

    def _stop(self, why: BaseException) -> None:
        if self._end is None:
            self._end = why
        wake(self._waiting_writer)

    async def _read(self) -> None:
        read, unanswered = self._call.context.read, self._unanswered
        try:
            while self._end is None:
                if len(unanswered) >= UNANSWERED_MAX:
                    self._waiting_reader = asyncio.get_running_loop().create_future()
                    await self._waiting_reader
                    continue
                raw = await read()
                if raw is grpc.aio.EOF or self._end is not None:
                    break
                now = monotonic()
                if now >= self._identity_due:
                    await self._identify(self._call)
                    self._identity_due = now + IDENTITY_CHECKED_EVERY_S
                submitted = self._take(raw, now)
                if submitted is not None:
                    await submitted.wait()
        except Exception as error:  # noqa: BLE001 - raised again by `run`: it is the stream's end
            self._stop(error)
        finally:
            self._reading = False
            wake(self._waiting_writer)

    def _take(self, raw: bytes, now: float) -> asyncio.Event | None:
        """Begins a request. Answers what to wait for before the next, so that they take effect in their order."""
        unanswered, admission = self._unanswered, self._admission
        more = weight_of(len(unanswered) + 1) - self._weight
        begun: asyncio.Future[Result] | Exception
        request = submitted = None
        try:
            if more > 0:
                if admission.in_flight >= admission.in_flight_max:
                    raise admission.refuse()
                admission.in_flight += more
                self._weight += more
            request = self._decode(raw)
            one = self._begin(request, self._call)
            begun, submitted = one if isinstance(one, Late) else (one, None)
        except Refused as refused:
            begun = refused
        unanswered.append((now, begun, request))
        if len(unanswered) == 1:
            wake(self._waiting_writer)
        return submitted

    async def _write(self) -> None:
        unanswered, write, overdue, sequence = self._unanswered, self._call.context.write, self._call.edge.overdue, 0
        while True:
            if not unanswered:
                if not self._reading or self._end is not None:
                    return
                self._waiting_writer = asyncio.get_running_loop().create_future()
                await self._waiting_writer
                continue
            read_at, begun, request = unanswered[0]
            if not isinstance(begun, Exception) and not begun.done():
                await self._done(begun, read_at)
            sequence += 1
            # a caller that does not read its answers must not hold its place for ever
            overdue.watch(self._task, monotonic())
            await write(self._encode(sequence, begun, request, self._call))
            overdue.forget(self._task)
            unanswered.popleft()
            self._lighten(len(unanswered))
            wake(self._waiting_reader)

    async def _done(self, begun: "asyncio.Future[Result]", read_at: float) -> None:
        """Waits for the oldest; what takes longer than a call may is cancelled, which it survives if it has begun."""
        loop = asyncio.get_running_loop()
        timer = loop.call_at(read_at + self._call.edge.overdue.limit_s, begun.cancel)
        waiting: asyncio.Future[None] = loop.create_future()
        begun.add_done_callback(lambda _: wake(waiting))
        try:
            await waiting
        finally:
            timer.cancel()

    def _lighten(self, unanswered: int) -> None:
        less = self._weight - weight_of(unanswered)
        if less > 0:
            self._admission.in_flight -= less
            self._weight -= less

    def _leave(self) -> None:
        """What has no answer goes on, and weighs until it is done: a caller that comes and goes must not pile up
        work."""
        left = [begun for _, begun, _ in self._unanswered if not isinstance(begun, Exception)]
        self._unanswered.clear()
        pending = len(left)

        def done(begun: "asyncio.Future[Result]") -> None:
            nonlocal pending
            if not begun.cancelled():
                begun.exception()  # looked at, or asyncio would report it as forgotten
            pending -= 1
            self._lighten(pending)

        self._lighten(pending)
        for begun in left:
            begun.add_done_callback(done)


def wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
