"""A session that meters one streamed model call and outlives its connections: the asynchronous one, in a thread with an
event loop of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from prepaid.billing.v1.sessions_pb2 import GenerationOutcome, OpenSession, SessionClosed, StopReason
from prepaid.billing.v1.spend_limits_pb2 import SpendLimit
from prepaid.billing.v1.usage_pb2 import Usage

from billing_client.asynchronous import metered_session as asynchronous
from billing_client.asynchronous.connection import Connection
from billing_client.headers import Headers, overlaid
from billing_client.options import ClientOptions

Answer = TypeVar("Answer")


class MeteredSession:
    """One session. Use it in a `with`: it opens there, and what was not closed inside is closed as cut where the block
    raised, else as complete without the provider's usage.

    A connection that breaks is made anew: the session is resumed, and the last tick is sent again unless it was
    acknowledged.
    """

    def __init__(
        self, options: ClientOptions, opening: OpenSession, *, timeout_s: float, headers: Headers | None
    ) -> None:
        self._arguments = options, opening, timeout_s, headers
        self._started: Future[tuple[asyncio.AbstractEventLoop, asynchronous.MeteredSession]] = Future()
        self._thread = threading.Thread(target=self._run, name="billing-session", daemon=True)

    @property
    def session_id(self) -> str:
        """Also the id of the session's hold."""
        return self._session.session_id

    @property
    def acknowledged_sequence(self) -> int:
        """Of the last tick that is durable."""
        return self._session.acknowledged_sequence

    @property
    def charged_microcredits(self) -> int:
        """What the acknowledged usage costs."""
        return self._session.charged_microcredits

    @property
    def left_microcredits(self) -> int:
        """What the session may still cost, as of the last answer."""
        return self._session.left_microcredits

    @property
    def is_low(self) -> bool:
        """Whether the service said that less than a slice is left."""
        return self._session.is_low

    @property
    def stop_reason(self) -> StopReason.ValueType | None:
        """Why the model call must be stopped now; None while it may go on."""
        return self._session.stop_reason

    @property
    def stop_limit(self) -> SpendLimit | None:
        """The spend limit that has no room for more, where `stop_reason` is STOP_REASON_SPEND_LIMIT_REACHED."""
        return self._session.stop_limit

    @property
    def must_stop(self) -> bool:
        """Whether the service said that the model call must be stopped now."""
        return self._session.must_stop

    def tick(self, usage: Usage) -> None:
        """Say the whole usage so far. Returns once it is on its way; `acknowledged_sequence` says when it is durable.

        `usage`: replaces that of the former tick.
        Raises what ended the session: SessionTakenOver, InvalidField, HoldExpired, ….
        """
        self._do(lambda session: session.tick(usage))

    def flush(self) -> None:
        """Wait until the last tick is durable. Raises what ended the session."""
        self._do(lambda session: session.flush())

    def close(
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
        return self._do(lambda session: session.close(outcome, usage))

    def __enter__(self) -> Self:
        self._thread.start()
        self._loop, self._session = self._started.result()
        try:
            self._do(lambda session: session.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._do(lambda session: session.__aexit__(kind, error, traceback))
        finally:
            self._end()

    def _do(self, what: "Callable[[asynchronous.MeteredSession], Awaitable[Answer]]") -> Answer:
        async def run() -> Answer:
            return await what(self._session)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()

    def _run(self) -> None:
        options, opening, timeout_s, headers = self._arguments

        async def run() -> None:
            self._leave = asyncio.Event()
            async with Connection(options) as connection:
                sent = overlaid(connection._metadata, headers)  # noqa: SLF001 - its own twin's

                async def open_call() -> asynchronous.Call:
                    stubs = await connection._reached(opening.account_id, timeout_s)  # noqa: SLF001 - likewise
                    return stubs.billing.MeterSession(metadata=sent)

                session = asynchronous.MeteredSession(open_call, opening, timeout_s=timeout_s)
                self._started.set_result((asyncio.get_running_loop(), session))
                await self._leave.wait()

        try:
            asyncio.run(run())
        except BaseException as failure:
            if self._started.done():
                raise
            self._started.set_exception(failure)
