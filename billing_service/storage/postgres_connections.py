"""Connections to PostgreSQL: asyncpg's pool, with the connection that was used last kept at hand."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

log = structlog.get_logger(__name__)

PLANS_KEPT_S = 10.0
"""Plans of prepared statements stay until statistics come in, which takes autovacuum a minute. One that was made while a table was tiny
reads all of it for every batch, and an import makes a large table of it in that minute. Planning anew takes some milliseconds."""


class Connections:
    """Hands connections out, each to one unit of work at a time. Taking one out of the pool and giving it back costs three times what the
    shortest round trip does, so one stays out."""

    def __init__(self, pool: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._kept: Any = None
        self._plans_until = 0.0
        self._waiting = 0
        """Units that wait for the pool: what is given back is for them."""
        self._closing = False

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> AsyncIterator[Any]:  # noqa: ASYNC109 - the pool's own, for what is new
        """A connection. Whoever gets it gives it back outside of any transaction, or raises: then the pool looks after it."""
        connection = await self._take(timeout)
        try:
            yield connection
        except BaseException:
            await self._pool.release(connection)
            raise
        if self._kept is None and not self._waiting and not self._closing:
            self._kept = connection
        else:
            await self._pool.release(connection)

    async def _take(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - as above
        kept, self._kept = self._kept, None
        if kept is None or _is_gone(kept):
            self._plans_until = self._monotonic() + PLANS_KEPT_S
            return await self._from_pool(timeout)
        if self._monotonic() > self._plans_until:
            await self._plan_anew(kept)
        return kept

    async def _from_pool(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - as above
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=timeout)
        finally:
            self._waiting -= 1

    async def _plan_anew(self, connection: Any) -> None:
        self._plans_until = self._monotonic() + PLANS_KEPT_S
        try:
            await connection.execute("DISCARD PLANS")
        except (asyncpg.PostgresSyntaxError, asyncpg.FeatureNotSupportedError):
            self._plans_until = float("inf")
            log.info("database_keeps_its_plans")
        except BaseException:
            await self._pool.release(connection)
            raise

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
    """Whether it was closed, by whichever side. The pool takes such a one back by itself."""
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:  # what the pool has taken back answers to nothing any more
        return True
    return closed
