"""The upkeep of a live session: its hold grows and is prolonged in a task of its own, so that no tick waits for it, and
its owner is told what it must know.

What the account has is known from the last look at it (`Rooms`). Before a STOP for want of credits it is looked at
again.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from prepaid.billing.v1 import sessions_pb2

from billing_service.api import translate
from billing_service.api.streams.rooms import Rooms
from billing_service.commands.environment import Environment
from billing_service.commands.spending.session_charges import grow, payer_of
from billing_service.commands.spending.sessions import Owned
from billing_service.domain.refusals import Reason, Refusal
from billing_service.domain.spending.sessions import (
    Room,
    StopReason,
    growth,
    left,
    prolongation,
    tell_low,
    tell_stop,
)

LOOKED_S: Final = 0.05
"""How old the last look at the account may be before a session is stopped for want of credits."""
PROLONGED_AGAIN_S: Final = 1.0
"""After an account refused that a hold lives longer."""
_STOPS: Final = {reason: sessions_pb2.StopReason.Value(f"STOP_REASON_{reason.name}") for reason in StopReason}


class Upkeep:
    """Of one session on one stream."""

    def __init__(
        self,
        environment: Environment,
        rooms: Rooms,
        owned: Owned,
        room: Room,
        *,
        send: Callable[[bytes], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """`send` takes a MeterSessionResponse for the owner, `fail` what ends the stream."""
        self._environment = environment
        self._rooms = rooms
        self._owned = owned
        self._send = send
        self._fail = fail
        self.room = room
        self._looked_at = monotonic()
        self._prolong_from = 0.0
        self._task: asyncio.Task[None] | None = None
        self._is_finished = False

    def see(self, room: Room) -> None:
        """What the account is known to have now."""
        self.room, self._looked_at = room, monotonic()
        self.settle()

    def settle(self) -> None:
        """To be called after whatever changed the session."""
        if self._is_finished or (self._task is not None and not self._task.done()):
            return  # which looks at the session again before it ends
        if self._must_ask():
            self._task = asyncio.get_running_loop().create_task(self._ask_and_tell())
        else:
            self._tell()

    async def wait(self) -> None:
        """Until what was asked of the ledger is answered."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def finish(self) -> None:
        """The same, and asks for no more: the session is being closed, and nothing may happen to its hold then."""
        self._is_finished = True
        await self.wait()

    async def cover(self, charged: int) -> None:
        """Waits until the hold has that, or can't have it: what is acknowledged is charged also where this process dies
        right after."""
        if charged > self._owned.session.held:
            await self.wait()

    def cancel(self) -> None:
        """Asks no more; what the ledger was asked for happens."""
        if self._task is not None:
            self._task.cancel()

    def _must_ask(self) -> bool:
        session = self._owned.session
        if self._prolongation():
            return True
        if session.stopped is not None or self.room.frozen or session.unspent * 2 >= session.slice:
            return False
        return bool(self.room.growth) or monotonic() - self._looked_at > LOOKED_S

    def _prolongation(self) -> int:
        if monotonic() < self._prolong_from:
            return 0
        return prolongation(self._owned.session, self._owned.grace_us, self._environment.clock_us())

    async def _ask_and_tell(self) -> None:
        try:
            while self._must_ask() and not self._is_finished:
                await self._ask()
            self._tell()
        except Exception as error:  # noqa: BLE001 - raised again by the stream: it is its end
            self._fail(error)

    async def _ask(self) -> None:
        lifetime_us = self._prolongation()
        if not self.room.growth:
            await self._look()
        more = growth(self._owned.session, self.room)
        if not (more or lifetime_us):
            return
        try:
            await grow(self._environment, self._owned, more, lifetime_us)
        except Refusal as refusal:
            if not more:  # refused while debt stands or the account is frozen
                self._prolong_from = monotonic() + PROLONGED_AGAIN_S
            if refusal.reason is Reason.INSUFFICIENT_CREDITS:
                self.room = Room(int(refusal.metadata["available_microcredits"]) if more else 0)
            elif refusal.reason is Reason.SPEND_LIMIT_REACHED:
                await self._look()  # somebody else took the room since the last look
            elif refusal.reason is Reason.ACCOUNT_FROZEN:
                self.room = Room(0, frozen=True)
            else:
                raise
        else:
            # before the look: a tick that is answered meanwhile would count it twice, in the hold and in the room
            self.room = self.room._replace(extendable=max(self.room.extendable - more, 0))
            if self.room.limit is not None:
                await self._look()  # a STOP says how the limit stands
        self._looked_at = monotonic()

    async def _look(self) -> None:
        self.room = await self._rooms.look(payer_of(self._owned.session))
        self._looked_at = monotonic()

    def _tell(self) -> None:
        session = self._owned.session
        if tell_low(session, self.room):
            low = sessions_pb2.SessionLow(left_microcredits=left(session, self.room))
            self._send(sessions_pb2.MeterSessionResponse(low=low).SerializeToString())
        reason = tell_stop(session, self.room, self._environment.clock_us())
        if reason is not None:
            stop = sessions_pb2.SessionStop(reason=_STOPS[reason])
            if reason is StopReason.SPEND_LIMIT_REACHED and self.room.limit is not None:
                stop.spend_limit.CopyFrom(translate.spend_limit(self.room.limit))
            self._send(sessions_pb2.MeterSessionResponse(stop=stop).SerializeToString())
