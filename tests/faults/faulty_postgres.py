"""PostgreSQL's pool, its connections failing where they are told. Errors come from the server itself, so that a
transaction that failed is aborted there too, and a connection that is lost is lost."""

import contextlib
from functools import partial

import asyncpg

from tests.support.fault_modes import CANCEL, DISCONNECT, TERMINATE, TWICE
from tests.support.fault_points import BEFORE, DATABASE


class FaultyConnection:
    """Passes everything on to the real connection."""

    def __init__(self, raw, points):
        self._raw = raw
        self._points = points

    def __getattr__(self, name):
        return getattr(self._raw, name)

    async def execute(self, sql, *arguments):
        return await self._at_point(sql, self._raw.execute, arguments)

    async def fetch(self, sql, *arguments, **options):
        return await self._at_point(sql, partial(self._raw.fetch, **options), arguments)

    async def fetchrow(self, sql, *arguments):
        return await self._at_point(sql, self._raw.fetchrow, arguments)

    async def fetchval(self, sql, *arguments):
        return await self._at_point(sql, self._raw.fetchval, arguments)

    async def _at_point(self, sql, run, arguments):
        name = " ".join(sql.split()[:3])
        if name == "ROLLBACK" and self._points.rollback_fails:
            self._points.rollback_fails = False
            raise TimeoutError("told to fail: ROLLBACK")
        strike = self._points.reach(DATABASE, name)
        if strike is None:
            return await run(sql, *arguments)
        if strike.when == BEFORE:
            await self._strike(strike.mode)
            return await run(sql, *arguments)
        result = await run(sql, *arguments)
        await self._strike(strike.mode)
        return result

    async def _strike(self, mode):
        if mode.kind == CANCEL:
            await self._points.cancel_from_loop()
        elif mode.kind == DISCONNECT:
            self._raw.terminate()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        elif mode.kind == TERMINATE:
            await self._raw.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        else:
            if mode.kind == TWICE:
                self._points.rollback_fails = True
            await self._raw.execute(f"DO $$ BEGIN RAISE EXCEPTION 'told to fail' USING ERRCODE = '{mode.code}'; END $$")


class FaultyPool:
    """The store's pool; hands out connections that can fail."""

    def __init__(self, pool, points):
        self._pool = pool
        self._points = points

    def __getattr__(self, name):
        return getattr(self._pool, name)

    @contextlib.asynccontextmanager
    async def acquire(self, **options):
        async with self._pool.acquire(**options) as connection:
            yield FaultyConnection(connection, self._points)


def put_faults(store, points):
    """Makes every statement of an open store a point."""
    store._pool = FaultyPool(store._pool, points)


def open_transactions(store):
    """Connections that are in use or in a transaction although nothing runs."""
    connections = store._pool._pool
    holders = [
        holder for holder in connections._pool._holders if holder._con is not None and not holder._con.is_closed()
    ]
    return (
        connections.get_size()
        - connections.get_idle_size()
        + sum(holder._con.is_in_transaction() for holder in holders)
    )
