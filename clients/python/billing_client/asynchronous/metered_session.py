"""A session that meters one streamed model call and outlives its connections. Its blocking twin is this one in a thread
of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeAlias

import grpc
from prepaid.billing.v1.sessions_pb2 import (
    CloseSession,
    GenerationOutcome,
    MeterSessionRequest,
    MeterSessionResponse,
    OpenSession,
    ResumeSession,
    SessionClosed,
    SessionOpened,
    SessionTick,
    StopReason,
)
from prepaid.billing.v1.spend_limits_pb2 import SpendLimit
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.error_details import billing_error
from billing_client.errors import BillingError, OutcomeUnknown
from billing_client.retries import is_worth_repeating, pause_s

Call: TypeAlias = "grpc.aio.StreamStreamCall[MeterSessionRequest, MeterSessionResponse]"


class MeteredSession:
    """One session. Use it in an `async with`: it opens there, and what was not closed inside is closed as cut where the
    block raised, else as complete without the provider's usage.

    Belongs to the event loop that runs when it is made. A connection that breaks is made anew: the session is resumed,
    and the last tick is sent again unless it was acknowledged.
    """

    def __init__(self, open_call: Callable[[], Awaitable[Call]], opening: OpenSession, *, timeout_s: float) -> None:
        self._open_call = open_call
        self._opening = opening
        self._timeout_s = timeout_s
        self._opened: SessionOpened | None = None
        self._call: Call | None = None
        self._reader: asyncio.Task[None] | None = None
        self._last_tick: SessionTick | None = None
        self._closing: CloseSession | None = None
        self._closed: asyncio.Future[SessionClosed] | None = None
        self._token_lost = False
        """Whether a resumption had no answer: it may have made a new token."""
        self._failed: BillingError | None = None
        self._sequence = 0
        self._acknowledged = asyncio.Event()
        self.acknowledged_sequence = 0
        """Of the last tick that is durable."""
        self.charged_microcredits = 0
        """What the acknowledged usage costs."""
        self.left_microcredits = 0
        """What the session may still cost, as of the last answer."""
        self.is_low = False
        """Whether the service said that less than a slice is left."""
        self.stop_reason: StopReason.ValueType | None = None
        """Why the model call must be stopped now; None while it may go on."""
        self.stop_limit: SpendLimit | None = None
        """The spend limit that has no room for more, where `stop_reason` is STOP_REASON_SPEND_LIMIT_REACHED."""

    @property
    def session_id(self) -> str:
        """Also the id of the session's hold."""
        assert self._opened is not None, "a session is open inside of its block"
        return self._opened.session_id

    @property
    def must_stop(self) -> bool:
        """Whether the service said that the model call must be stopped now."""
        return self.stop_reason is not None

    async def tick(self, usage: Usage) -> None:
        """Say the whole usage so far. Returns once it is on its way; `acknowledged_sequence` says when it is durable.

        `usage`: replaces that of the former tick.
        Raises what ended the session: SessionTakenOver, InvalidField, HoldExpired, ….
        """
        self._check()
        self._sequence += 1
        self._last_tick = SessionTick(sequence=self._sequence, usage=usage)
        await self._send(MeterSessionRequest(tick=self._last_tick))

    async def flush(self) -> None:
        """Wait until the last tick is durable. Raises what ended the session."""
        while self._last_tick is not None and self.acknowledged_sequence < self._last_tick.sequence:
            self._check()
            self._acknowledged.clear()
            await self._acknowledged.wait()
        self._check()

    async def close(
        self,
        outcome: GenerationOutcome.ValueType = GenerationOutcome.GENERATION_OUTCOME_COMPLETE,
        usage: Usage | None = None,
    ) -> SessionClosed:
        """Charge the session. A repeat gets the same answer.

        `outcome`: how the model call ended, which decides what is charged.
        `usage`: the whole usage, final; None: the last acknowledged one, else the estimate.
        Raises InvalidField without any usage where something is to be charged, IdempotencyKeyReused where the key
        charged something else already, OutcomeUnknown where no answer came in time.
        """
        if self._closed is None:
            self._check()
            self._closed = asyncio.get_running_loop().create_future()
            self._closing = CloseSession(outcome=outcome, usage=usage)
            await self._send(MeterSessionRequest(close=self._closing))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(self._closed)
        except TimeoutError:
            raise OutcomeUnknown(
                "no answer to the close came in time",
                status=grpc.StatusCode.DEADLINE_EXCEEDED,
                rpc="MeterSession",
                idempotency_key=self._opening.idempotency_key,
            ) from None

    async def __aenter__(self) -> Self:
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.get_running_loop().create_task(self._run(opened))
        await opened
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._closed is None and self._failed is None:
                await self.close(
                    GenerationOutcome.GENERATION_OUTCOME_COMPLETE_WITHOUT_USAGE
                    if error is None
                    else GenerationOutcome.GENERATION_OUTCOME_CUT
                )
        except BillingError:
            if error is None:
                raise
        finally:
            if self._reader is not None:
                self._reader.cancel()
            if self._call is not None:
                self._call.cancel()

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def _send(self, request: MeterSessionRequest) -> None:
        call = self._call
        if call is None:
            return  # the connection is being made anew, which sends what counts again
        try:
            await call.write(request)
        except (grpc.RpcError, asyncio.InvalidStateError):
            return  # likewise: the reader meets the same end

    async def _run(self, opened: "asyncio.Future[None]") -> None:
        """Connects, reads, and connects again, until the session is closed or can't go on."""
        loop, failures = asyncio.get_running_loop(), 0
        gives_up_at = loop.time() + self._timeout_s
        while True:
            try:
                await self._connect()
                failures, gives_up_at = 0, loop.time() + self._timeout_s
                if not opened.done():
                    opened.set_result(None)
                await self._read()
            except grpc.RpcError as failed:
                error = _error_of(failed, self._opening)
            except BillingError as said:
                error = said
            else:
                return
            self._call = None
            failures += 1
            pause = pause_s(failures, error.retry_after_s)
            if not is_worth_repeating(error) or loop.time() + pause >= gives_up_at:
                self._fail(error, opened)
                return
            await asyncio.sleep(pause)

    async def _connect(self) -> None:
        call = await self._open_call()
        if self._opened is None or self._token_lost:  # a repeat of the opening takes the session over
            await call.write(MeterSessionRequest(open=self._opening))
        else:
            resume = ResumeSession(
                account_id=self._opening.account_id, session_id=self._opened.session_id, token=self._opened.token
            )
            self._token_lost = True
            await call.write(MeterSessionRequest(resume=resume))
        first = await call.read()
        if first is grpc.aio.EOF or not isinstance(first, MeterSessionResponse):
            raise await _status_of(call, self._opening)
        self._token_lost = False
        self._take(first)
        if self._last_tick is not None and self.acknowledged_sequence < self._last_tick.sequence:
            await call.write(MeterSessionRequest(tick=self._last_tick))
        if self._closing is not None and not self._is_closed:
            await call.write(MeterSessionRequest(close=self._closing))
        self._call = call

    @property
    def _is_closed(self) -> bool:
        return self._closed is not None and self._closed.done()

    async def _read(self) -> None:
        """Until the session is closed. Raises what ended the connection."""
        call = self._call
        assert call is not None, "it is connected"
        while not self._is_closed:
            response = await call.read()
            if response is grpc.aio.EOF or not isinstance(response, MeterSessionResponse):
                raise await _status_of(call, self._opening)
            self._take(response)

    def _take(self, response: MeterSessionResponse) -> None:
        said = response.WhichOneof("response")
        if said == "opened":
            self._opened = response.opened
            self.left_microcredits = response.opened.left_microcredits
            self._acknowledge(response.opened.sequence, response.opened.charged_microcredits)
            self._sequence = max(self._sequence, response.opened.sequence)
        elif said == "acknowledged":
            self.left_microcredits = response.acknowledged.left_microcredits
            self._acknowledge(response.acknowledged.sequence, response.acknowledged.charged_microcredits)
        elif said == "low":
            self.is_low, self.left_microcredits = True, response.low.left_microcredits
        elif said == "stop":
            self.stop_reason = response.stop.reason
            self.stop_limit = response.stop.spend_limit if response.stop.HasField("spend_limit") else None
        elif said == "closed":
            if self._closed is None:
                self._closed = asyncio.get_running_loop().create_future()
            if not self._closed.done():
                self._closed.set_result(response.closed)

    def _acknowledge(self, sequence: int, charged: int) -> None:
        self.acknowledged_sequence = max(self.acknowledged_sequence, sequence)
        self.charged_microcredits = max(self.charged_microcredits, charged)
        self._acknowledged.set()

    def _fail(self, error: BillingError, opened: "asyncio.Future[None]") -> None:
        self._failed = error
        self._acknowledged.set()
        if not opened.done():
            opened.set_exception(error)
        if self._closed is not None and not self._closed.done():
            self._closed.set_exception(error)


async def _status_of(call: Call, opening: OpenSession) -> BillingError:
    """What ended a stream that has no more to say."""
    details = await call.trailing_metadata()
    failed = grpc.aio.AioRpcError(await call.code(), await call.initial_metadata(), details, await call.details())
    return _error_of(failed, opening)


def _error_of(failed: grpc.RpcError, opening: OpenSession) -> BillingError:
    error = billing_error(failed, MeterSessionRequest())
    error.idempotency_key = opening.idempotency_key
    return error
