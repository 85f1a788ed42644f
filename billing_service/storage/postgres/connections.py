"""Connections to PostgreSQL: asyncpg's pool, with a connection that was used last kept at hand, and plans kept
young."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

from billing_service.domain.refusals import Refusal
from billing_service.storage.store import StaleError

log = structlog.get_logger(__name__)

PLANS_KEPT_S = 10.0
"""Plans of prepared statements stay until statistics come in, which takes autovacuum a minute. One that was made while
a table was tiny reads all of it for every batch, and an import makes a large table of it in that minute. Planning anew
takes some milliseconds."""


PLANNED_MAX = 64
"""Ages of plans that are remembered, of connections that are gone too."""


class Connections:
    """Hands connections out, each to one unit of work at a time. Taking one out of the pool and giving it back costs
    three times what the shortest round trip does, so one stays out."""

    def __init__(self, pool: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._kept: Any = None
        self._waiting = 0
        """Units that wait for the pool: what is given back is for them."""
        self._plans_until: dict[int, float] = {}
        """By the server's process."""
        self._plans_can_be_discarded = True
        self._closing = False

    @asynccontextmanager
    # The pool's own, for what is new.
    async def acquire(self, *, timeout: float | None = None) -> AsyncIterator[Any]:  # noqa: ASYNC109
        """A connection. Whoever gets it gives it back outside of any transaction, or raises what the database raised:
        then the pool looks after it."""
        connection = await self._take(timeout)
        try:
            yield connection
        except (Refusal, StaleError):  # an answer, after which the connection is as good as before
            await self._give_back(connection)
            raise
        except TimeoutError:
            await self._distrust_all()
            await self._pool.release(connection)
            raise
        except BaseException:
            await self._pool.release(connection)
            raise
        await self._give_back(connection)

    async def _distrust_all(self) -> None:
        """A server that did not answer may be gone without a goodbye, and another one in its place. Those that are as
        old would each cost the next unit the same time, one after the other."""
        await self._pool.expire_connections()
        kept, self._kept = self._kept, None
        if kept is not None:
            if not _is_gone(kept):
                kept.terminate()
            await self._pool.release(kept)

    async def _give_back(self, connection: Any) -> None:
        if self._kept is None and not self._waiting and not self._closing:
            self._kept = connection
        else:
            await self._pool.release(connection)

    async def _take(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - as above
        connection, self._kept = self._kept, None
        if connection is not None and _is_gone(connection):
            await self._pool.release(connection)
            connection = None
        if connection is None:
            connection = await self._from_pool(timeout)
        try:
            await self._keep_plans_young(connection)
        except BaseException as error:
            if isinstance(error, TimeoutError):
                await self._distrust_all()
            await self._pool.release(connection)
            raise
        return connection

    async def _from_pool(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - as above
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=timeout)
        finally:
            self._waiting -= 1

    async def _keep_plans_young(self, connection: Any) -> None:
        now, process = self._monotonic(), connection.get_server_pid()
        until = self._plans_until.get(process)
        if until is not None and now <= until:
            return
        if len(self._plans_until) >= PLANNED_MAX:
            self._plans_until.clear()
        self._plans_until[process] = now + PLANS_KEPT_S
        if until is None or not self._plans_can_be_discarded:
            return
        try:
            await connection.execute("DISCARD PLANS")
        except (asyncpg.PostgresSyntaxError, asyncpg.FeatureNotSupportedError):
            self._plans_can_be_discarded = False
            log.info("database_keeps_its_plans")

    def get_size(self) -> int:
        """How many connections there are."""
        size: int = self._pool.get_size()
        return size

    def get_idle_size(self) -> int:
        """How many of them nobody uses."""
        idle: int = self._pool.get_idle_size()
        return idle + (self._kept is not None and not _is_gone(self._kept))

    async def close(self) -> None:
        """Waits until all are given back, and closes them."""
        self._closing = True
        kept, self._kept = self._kept, None
        if kept is not None:
            await self._pool.release(kept)
        await self._pool.close()


def _is_gone(connection: Any) -> bool:
    """Whether it was closed, by whichever side."""
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:  # what the pool has taken back answers to nothing any more
        return True
    return closed
