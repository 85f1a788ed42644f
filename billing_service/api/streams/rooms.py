"""What accounts let their sessions grow by, as this process last saw it: looked at again every half second, all
accounts in one read, for as long as a session of theirs lives here."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

import structlog

from billing_service.commands.spending.session_charges import Payer
from billing_service.domain.refusals import Refused, account_not_found
from billing_service.domain.spending.sessions import Room

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
"""A frozen account's sessions are stopped within a second."""


class Watcher(Protocol):
    """A session's stream."""

    @property
    def payer(self) -> Payer: ...

    @property
    def session_id(self) -> str: ...

    def see(self, room: Room) -> None: ...

    def end_taken_over(self) -> None: ...


class Rooms:
    """The accounts of the sessions that live in this process."""

    def __init__(self, read: Callable[[Collection[Payer]], Awaitable[dict[Payer, Room]]]) -> None:
        self._read = read
        self._watchers: dict[tuple[str, str], Watcher] = {}
        """By account and session."""
        self._task: asyncio.Task[None] | None = None

    async def look(self, payer: Payer) -> Room:
        """What an account has now for these spenders. Raises ACCOUNT_NOT_FOUND."""
        found = await self._read([payer])
        if payer not in found:
            raise account_not_found(payer[0])
        return found[payer]

    def join(self, watcher: Watcher) -> None:
        """Tells the stream what its account has, from now on. A former stream of the session ends."""
        name = _name(watcher)
        former = self._watchers.get(name)
        self._watchers[name] = watcher
        if former is not None:
            former.end_taken_over()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look_again())

    def leave(self, watcher: Watcher) -> None:
        """Tells it no more."""
        if self._watchers.get(_name(watcher)) is watcher:
            del self._watchers[_name(watcher)]

    async def _look_again(self) -> None:
        while self._watchers:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._watchers:
                return
            try:
                found = await self._read({watcher.payer for watcher in self._watchers.values()})
            except Refused as failure:  # the next look tries again; ticks and growth say what is wrong
                log.warning("rooms_not_read", reason=failure.reason)
                continue
            for watcher in tuple(self._watchers.values()):
                room = found.get(watcher.payer)
                if room is not None:
                    watcher.see(room)


def _name(watcher: Watcher) -> tuple[str, str]:
    return watcher.payer[0], watcher.session_id
