"""What accounts let their sessions grow by, as this process last saw it: looked at again every half second, all
accounts in one read, for as long as a session of theirs lives here."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from billing_service.domain.refusals import Refused, account_not_found
from billing_service.domain.spending.sessions import Room

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
"""A frozen account's sessions are stopped within a second."""


class Watcher(Protocol):
    """A session's stream."""

    @property
    def account_id(self) -> str: ...

    @property
    def session_id(self) -> str: ...

    def see(self, room: Room) -> None: ...

    def end_taken_over(self) -> None: ...


class Rooms:
    """The accounts of the sessions that live in this process."""

    def __init__(self, read: Callable[[list[str]], Awaitable[dict[str, Room]]]) -> None:
        self._read = read
        self._watchers: dict[str, dict[str, Watcher]] = {}
        """By account, then by session."""
        self._task: asyncio.Task[None] | None = None

    async def look(self, account_id: str) -> Room:
        """What an account has now. Raises ACCOUNT_NOT_FOUND."""
        found = await self._read([account_id])
        if account_id not in found:
            raise account_not_found(account_id)
        return found[account_id]

    def join(self, watcher: Watcher) -> None:
        """Tells the stream what its account has, from now on. A former stream of the session ends."""
        sessions = self._watchers.setdefault(watcher.account_id, {})
        former = sessions.get(watcher.session_id)
        sessions[watcher.session_id] = watcher
        if former is not None:
            former.end_taken_over()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look_again())

    def leave(self, watcher: Watcher) -> None:
        """Tells it no more."""
        sessions = self._watchers.get(watcher.account_id, {})
        if sessions.get(watcher.session_id) is watcher:
            del sessions[watcher.session_id]
            if not sessions:
                del self._watchers[watcher.account_id]

    async def _look_again(self) -> None:
        while self._watchers:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._watchers:
                return
            try:
                found = await self._read(sorted(self._watchers))
            except Refused as failure:  # the next look tries again; ticks and growth say what is wrong
                log.warning("rooms_not_read", reason=failure.reason)
                continue
            for account_id, room in found.items():
                for watcher in tuple(self._watchers.get(account_id, {}).values()):
                    watcher.see(room)
