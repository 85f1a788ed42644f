"""A stream that owns one session. One task reads and prices ticks, another writes what the owner is told, in order: a
tick's acknowledgement leaves once the tick is durable.

What happens between ticks is in `session_upkeep`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from prepaid.billing.v1 import sessions_pb2

from billing_service.api.pipeline import REQUEST_BYTES_MAX, Call
from billing_service.api.streams.session_implementation import SessionImplementation
from billing_service.api.streams.session_upkeep import Upkeep
from billing_service.api.streams.streaming import IDENTITY_CHECKED_EVERY_S, wake
from billing_service.commands.spending.session_charges import Payer, payer_of, price_of
from billing_service.commands.spending.sessions import Owned
from billing_service.domain.ledger.holds import HoldState
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.serving import shutting_down
from billing_service.domain.refusals.spending import hold_closed, hold_expired, session_taken_over
from billing_service.domain.spending.price_records import UnpricedUsage
from billing_service.domain.spending.sessions import Owner, Room, Tick, acknowledge, is_news, take_tick, tick_of

UNANSWERED_MAX: Final = 256
"""Ticks of one stream that are not acknowledged yet. More would wait here instead of at their sender."""


class _Tick(NamedTuple):
    """A tick that was read and is on its way."""

    row: Tick
    written: "asyncio.Future[Owner | None] | None"
    """None where it was no news."""
    missing: str


class SessionStream:
    """One live session of one owner."""

    def __init__(
        self,
        call: Call,
        task: "asyncio.Task[Any]",
        implementation: SessionImplementation,
        identify: Callable[[Call], Awaitable[None]],
    ) -> None:
        self._call = call
        self._task = task
        self._implementation = implementation
        self._environment = implementation.environment
        self._identify = identify
        self._identity_due = monotonic() + IDENTITY_CHECKED_EVERY_S
        self._owned: Owned | None = None
        self._upkeep: Upkeep | None = None
        self._outgoing: deque[bytes | _Tick] = deque()
        self._unanswered = 0
        self._waiting_writer: asyncio.Future[None] | None = None
        self._waiting_reader: asyncio.Future[None] | None = None
        self._reading = True
        self._end: BaseException | None = None
        """Why no more is read though the owner may have more to say."""

    async def run(self) -> None:
        """Until the session is closed, or the owner has half-closed. Raises what else ended the stream, once what was
        read is answered."""
        admission = self._call.edge.admission
        admission.streams.add(self.drain)
        if admission.streams_ended:
            self.drain()
        reader = asyncio.get_running_loop().create_task(self._read())
        try:
            await self._write()
        finally:
            admission.streams.discard(self.drain)
            self._leave()
            reader.cancel()
            if self._upkeep is not None:
                self._upkeep.cancel()
        if self._end is not None:
            raise self._end

    def drain(self) -> None:
        """Reads no more; the stream ends once what was read is answered."""
        self._stop_reading(shutting_down("resume the session with its token"))

    def end_taken_over(self) -> None:
        """Another stream of this process resumed the session."""
        assert self._owned is not None
        self._stop_reading(session_taken_over(self._owned.session.session_id))

    @property
    def payer(self) -> Payer:
        assert self._owned is not None
        return payer_of(self._owned.session)

    @property
    def session_id(self) -> str:
        assert self._owned is not None
        return self._owned.session.session_id

    def see(self, room: Room) -> None:
        """What the account is known to have now."""
        if self._upkeep is not None:
            self._upkeep.see(room)

    def _leave(self) -> None:
        if self._owned is not None:
            self._implementation.rooms.leave(self)

    def _stop_reading(self, why: BaseException) -> None:
        if self._end is None:
            self._end = why
        wake(self._waiting_writer)

    def _send(self, message: bytes | _Tick) -> None:
        self._outgoing.append(message)
        wake(self._waiting_writer)

    async def _read(self) -> None:
        try:
            begun = await self._next()
            if begun is not None:
                await self._begin(begun)
            while begun is not None and self._end is None and self._reading:
                if self._unanswered >= UNANSWERED_MAX:
                    self._waiting_reader = asyncio.get_running_loop().create_future()
                    await self._waiting_reader
                    continue
                request = await self._next()
                if request is None:
                    break
                await self._take(request)
        except Exception as error:  # noqa: BLE001 - raised again by `run`: it is the stream's end
            self._stop_reading(error)
        finally:
            self._reading = False
            wake(self._waiting_writer)

    async def _next(self) -> sessions_pb2.MeterSessionRequest | None:
        raw = await self._call.context.read()
        if raw is grpc.aio.EOF or self._end is not None:
            return None
        now = monotonic()
        if now >= self._identity_due:
            await self._identify(self._call)
            self._identity_due = now + IDENTITY_CHECKED_EVERY_S
        if len(raw) > REQUEST_BYTES_MAX:
            raise invalid_field("request", f"{len(raw)} bytes; at most {REQUEST_BYTES_MAX} are taken")
        try:
            return sessions_pb2.MeterSessionRequest.FromString(raw)
        except DecodeError:
            raise invalid_field("request", "the bytes are no message of this type, or a string is not UTF-8") from None

    async def _begin(self, request: sessions_pb2.MeterSessionRequest) -> None:
        if not (request.HasField("open") or request.HasField("resume")):
            raise invalid_field("request", "the first one opens or resumes a session")
        self._owned = owned = await self._implementation.begin(request, self._call)
        rooms = self._implementation.rooms
        room = await rooms.look(payer_of(owned.session))
        if owned.ended in (HoldState.CAPTURED, HoldState.RELEASED):
            self._send(await self._implementation.close(owned, sessions_pb2.CloseSession(outcome=_RELEASES)))
            self._reading = False
            return
        self._send(self._implementation.opened(owned, room))
        if owned.ended is None:
            self._upkeep = Upkeep(self._environment, rooms, owned, room, send=self._send, fail=self._stop_reading)
            rooms.join(self)
            self._upkeep.settle()

    async def _take(self, request: sessions_pb2.MeterSessionRequest) -> None:
        if request.HasField("tick"):
            await self._tick(request.tick)
        elif request.HasField("close"):
            await self._close(request.close)
            self._reading = False
        else:
            raise invalid_field("request", "the stream has a session already: tick or close it")

    async def _tick(self, tick: sessions_pb2.SessionTick) -> None:
        owned = self._owned
        assert owned is not None
        session = owned.session
        if not tick.HasField("usage"):
            raise invalid_field("tick.usage", "is required")
        usage = self._implementation.usage_of(tick.usage, "tick.usage")
        news = is_news(session, tick.sequence)
        if self._upkeep is None or self._environment.clock_us() >= session.expire_time_us:
            raise hold_expired(session.session_id)
        if not news:
            row = tick_of(owned.session)
            self._send(_Tick(row, None, ""))
            return
        priced = await price_of(self._environment, owned, usage)
        owned.session = session = take_tick(session, tick.sequence, usage, priced)
        row = tick_of(owned.session)
        self._unanswered += 1
        missing = ", ".join(priced.missing) if isinstance(priced, UnpricedUsage) else ""
        self._send(_Tick(row, self._environment.ticks.submit(row), missing))
        self._upkeep.settle()

    async def _close(self, close: sessions_pb2.CloseSession) -> None:
        owned = self._owned
        assert owned is not None
        if self._upkeep is not None:
            await self._upkeep.finish()
        for each in tuple(self._outgoing):
            if isinstance(each, _Tick) and each.written is not None:
                self._check_owner(each, await asyncio.shield(each.written))
        self._leave()
        self._send(await self._implementation.close(owned, close))

    async def _write(self) -> None:
        outgoing, write, overdue = self._outgoing, self._call.context.write, self._call.edge.overdue
        while True:
            if not outgoing:
                if not self._reading or self._end is not None:
                    return
                self._waiting_writer = asyncio.get_running_loop().create_future()
                await self._waiting_writer
                continue
            message = outgoing[0]
            if isinstance(message, _Tick):
                if message.written is not None:
                    self._check_owner(message, await message.written)
                    self._unanswered -= 1
                    assert self._upkeep is not None
                    await self._upkeep.cover(message.row.charged)
                message = self._acknowledged(message)
            overdue.watch(self._task, monotonic())
            await write(message)
            overdue.forget(self._task)
            outgoing.popleft()
            wake(self._waiting_reader)

    def _check_owner(self, tick: _Tick, owner: Owner | None) -> None:
        if owner is not None and owner.has(tick.row):
            return
        if owner is None or owner.closed:
            raise hold_closed(tick.row.session_id, "EXPIRED")
        raise session_taken_over(tick.row.session_id)

    def _acknowledged(self, tick: _Tick) -> bytes:
        owned, upkeep = self._owned, self._upkeep
        assert owned is not None
        assert upkeep is not None
        acknowledged = acknowledge(owned.session, upkeep.room)
        return sessions_pb2.MeterSessionResponse(
            acknowledged=sessions_pb2.SessionAcknowledged(
                sequence=tick.row.sequence,
                charged_microcredits=tick.row.charged,
                left_microcredits=acknowledged.left,
                missing=tick.missing,
            )
        ).SerializeToString()


_RELEASES: Final = sessions_pb2.GENERATION_OUTCOME_REFUSED
"""Of a session that is closed: the stored answer is what it was, whatever is asked."""
