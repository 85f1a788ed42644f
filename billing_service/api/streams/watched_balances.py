"""The balances that this process's watchers wait for. Whatever changes is read once, for all watchers of the account.

    a change by this process's group commit   is noted at once
    any other change                          is found by looking at the versions of all watched accounts
    a lot or hold that begins or ends         is due when the last read said so

An account is read at most every PACE_S. So neither a busy account nor a crowd of watchers costs more than that.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from billing_service.commands.accounts.watch_balance import Shown
from billing_service.domain.ledger.balance import Mark
from billing_service.domain.refusals import Refused, account_not_found
from billing_service.ledger.changes import Changes

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.25
"""What another process changed is promised to be shown within a second."""
PACE_S: Final = 0.1
"""Between two reads of one account: nobody reads faster than this."""
ACCOUNTS_A_READ: Final = 1_000
"""No read of the database is long."""
UNREAD_MAX_S: Final = 3.0
"""How long watchers are left with what they have while the database can't be read. Then they are told."""


class Watcher(Protocol):
    """A stream that shows a balance."""

    @property
    def account_id(self) -> str: ...

    def show(self, shown: Shown) -> None: ...

    def end(self, why: BaseException) -> None: ...


class Source(Protocol):
    """Where balances come from. Methods raise Failure."""

    def now_us(self) -> int: ...

    async def read(self, account_ids: Sequence[str]) -> Mapping[str, Shown]: ...

    async def marks(self, account_ids: Sequence[str]) -> Mapping[str, Mark]: ...


@dataclass(slots=True, eq=False)
class _Watched:
    """One account and who watches it."""

    watchers: set[Watcher] = field(default_factory=set)
    shown: Shown | None = None
    next_read_s: float = 0.0
    """Not before, by the clock of the event loop."""

    def is_due(self, mark: Mark | None, now_us: int) -> bool:
        shown = self.shown
        if shown is None:
            return True
        return mark not in (None, shown.mark) or (shown.change_us is not None and shown.change_us <= now_us)


class WatchedBalances:
    """All watched accounts of one process, and the task that reads them while there are any."""

    def __init__(self, source: Source, changes: Changes) -> None:
        self._source = source
        self._changes = changes
        self._watched: dict[str, _Watched] = {}
        self._due: set[str] = set()
        """Accounts to be read: changed, or with a watcher that has seen nothing yet."""
        self._next_look_s = 0.0
        self._last_read_s = 0.0
        self._waiting: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def join(self, watcher: Watcher) -> None:
        """Shows the watcher its account, read after this, and again after each change."""
        account_id = watcher.account_id
        watched = self._watched.get(account_id)
        if watched is None:
            watched = self._watched[account_id] = _Watched()
            self._changes.wait_for(account_id, self._changed)
        watched.watchers.add(watcher)
        watched.next_read_s = 0.0
        self._changed(account_id)
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._next_look_s = loop.time() + LOOK_EVERY_S
            self._last_read_s = loop.time()
            self._task = loop.create_task(self._keep_reading())

    def leave(self, watcher: Watcher) -> None:
        """Shows it no more."""
        watched = self._watched[watcher.account_id]
        watched.watchers.discard(watcher)
        if not watched.watchers:
            del self._watched[watcher.account_id]
            self._changes.forget(watcher.account_id)
            self._due.discard(watcher.account_id)
            if not self._watched:
                self._wake()

    def _changed(self, account_id: str) -> None:
        self._due.add(account_id)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _keep_reading(self) -> None:
        loop = asyncio.get_running_loop()
        while self._watched:
            try:
                if loop.time() >= self._next_look_s:
                    self._next_look_s = loop.time() + LOOK_EVERY_S
                    await self._look()
                await self._read()
            except Refused as failure:
                log.warning("watched_balances_not_read", reason=failure.reason)
                if loop.time() - self._last_read_s >= UNREAD_MAX_S:
                    self._end_all(failure)
                await asyncio.sleep(LOOK_EVERY_S)
            # a defect: watchers must not wait for ever, and those that come later begin anew
            except Exception as error:
                log.exception("watched_balances_broke")
                self._end_all(error)
            else:
                self._last_read_s = loop.time()
            await self._wait()

    async def _look(self) -> None:
        """Finds the accounts that changed, or that time changes now."""
        found: dict[str, Mark] = {}
        for account_ids in _portions(self._watched):
            found |= await self._source.marks(account_ids)
        now_us = self._source.now_us()
        self._due.update(
            account_id for account_id, watched in self._watched.items() if watched.is_due(found.get(account_id), now_us)
        )

    async def _read(self) -> None:
        now_s = asyncio.get_running_loop().time()
        ready = [account_id for account_id in self._due if self._watched[account_id].next_read_s <= now_s]
        for account_ids in _portions(ready):
            # What changes while it is read is read again. What can't be read stays due.
            self._due.difference_update(account_ids)
            joined = {account_id: frozenset(self._watched[account_id].watchers) for account_id in account_ids}
            try:
                found = await self._source.read(account_ids)
            except BaseException:
                self._due.update(self._watched.keys() & set(account_ids))
                raise
            for account_id, watchers in joined.items():
                self._show(account_id, found.get(account_id), watchers)

    def _show(self, account_id: str, shown: Shown | None, watchers: frozenset[Watcher]) -> None:
        """Only to those who had joined before the read: later ones are shown what is read after their coming."""
        watched = self._watched.get(account_id)
        if watched is None:
            return
        watched.next_read_s = asyncio.get_running_loop().time() + PACE_S
        if watched.watchers - watchers:
            watched.next_read_s = 0.0
        watched.shown = shown
        for watcher in watchers & watched.watchers:
            if shown is None:
                watcher.end(account_not_found(account_id))
            else:
                watcher.show(shown)

    def _end_all(self, why: BaseException) -> None:
        for watched in self._watched.values():
            for watcher in watched.watchers:
                watcher.end(why)

    async def _wait(self) -> None:
        """Until there is something to read or to look at."""
        loop = asyncio.get_running_loop()
        until_s = min([self._next_look_s, *(self._watched[account_id].next_read_s for account_id in self._due)])
        if until_s <= loop.time():
            await asyncio.sleep(0)
            return
        self._waiting = loop.create_future()
        timer = loop.call_at(until_s, self._wake)
        await self._waiting
        timer.cancel()
        self._waiting = None


def _portions(account_ids: "Sequence[str] | Mapping[str, object]") -> Iterator[list[str]]:
    listed = list(account_ids)
    for start in range(0, len(listed), ACCOUNTS_A_READ):
        yield listed[start : start + ACCOUNTS_A_READ]
