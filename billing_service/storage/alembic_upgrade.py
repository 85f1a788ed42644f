"""Applies migrations by Alembic. `storage.migrate` finds out whether there are any, and loads this then."""

from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool


async def upgrade_file(path: Path) -> None:
    """Applies what a SQLite file lacks. The caller has seen to it that the file is nobody else's meanwhile."""
    engine = create_async_engine(
        "sqlite+aiosqlite://",
        # As the store opens it: a path is taken literally, not unquoted.
        async_creator=partial(aiosqlite.connect, path),
        poolclass=NullPool,
        hide_parameters=True,
    )
    _use_real_transactions(engine)
    await _upgrade(engine)


async def upgrade_server(connection: Any) -> None:
    """The same by an open connection of asyncpg, which stays open."""

    async def lend() -> Any:
        return _Lent(connection)

    await _upgrade(
        create_async_engine("postgresql+asyncpg://", async_creator=lend, poolclass=NullPool, hide_parameters=True)
    )


class _Lent:
    """A connection of somebody else: whoever closes it does not."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def close(self, *_: Any, **__: Any) -> None:
        """Left to its owner."""

    def terminate(self) -> None:
        """Left to its owner."""


async def _upgrade(engine: AsyncEngine) -> None:
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "billing_service.storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _use_real_transactions(engine: AsyncEngine) -> None:
    """The driver would commit before each DDL statement; a migration is to be applied whole or not at all."""

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
