"""Brings a database to the newest schema, by Alembic. Safe to run at once from several processes: one migrates, the
others wait."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from billing_service.storage.database_url import Database, PostgresServer, SqliteFile, parse_database_url
from billing_service.storage.postgres.connect import connect as connect_to_postgres
from billing_service.storage.postgres.session import COMMAND_TIMEOUT_S, refuse_shared_session
from billing_service.storage.sqlite.file_lock import FileLock

log = structlog.get_logger(__name__)

_LOCK_NUMBER = 0x70726570
"""PostgreSQL's advisory lock for migrations, which are no money path. ASCII of "prep"."""
_APPLICATION_NAME = "prepaid-billing migrate"
_HOLDER = f"""
SELECT held.pid, activity.application_name, activity.backend_start AT TIME ZONE 'UTC'
FROM pg_locks AS held LEFT JOIN pg_stat_activity AS activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted
AND held.classid = 0 AND held.objid = {_LOCK_NUMBER} AND held.objsubid = 1
AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608 - a number of our own
LOCK_WAIT_S = 30.0
"""Migrations take seconds. Whoever waits for longer says so, and is started again by whatever starts it."""
LOCK_INTERVAL_S = 0.2


class SchemaOutdatedError(Exception):
    """The database needs `billing migrate`, or is newer than this program."""


class MigrationBusyError(Exception):
    """Another process is at it, and did not end in time. The message names its connection."""


async def migrate(
    database: Database,
    *,
    file_is_kept: bool = False,
    report: Callable[[str], None] = lambda line: log.warning("migration", words=line),
) -> None:
    """Applies every migration that the database lacks, each in a transaction. `report` gets a line before a wait for
    another process.

    A SQLite file that lacks one must be nobody's meanwhile: raises DatabaseInUseError, unless the caller says that it
    keeps the file for itself. Raises SchemaOutdatedError when a newer program made the schema, MigrationBusyError when
    another process takes too long over it, and CannotConnectError.
    """
    if isinstance(database, SqliteFile):
        await _on_file(database.path, partial(_upgrade, None if file_is_kept else database.path))
        return
    async with _server_connection(database) as connection:
        missing = await connection.run_sync(_migration_missing)
        await connection.rollback()
        if missing is None:
            return
        await _take_lock(connection, report)
        try:
            await connection.run_sync(partial(_upgrade, None))
        finally:
            await connection.rollback()
            await connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK_NUMBER})"))
            await connection.commit()


async def check_schema(database: Database) -> None:
    """Raises SchemaOutdatedError unless the database is at this program's newest migration. Waits for nobody on
    PostgreSQL."""
    if isinstance(database, SqliteFile):
        await _on_file(database.path, _check)
        return
    async with _server_connection(database) as connection:
        await connection.run_sync(_check)


@asynccontextmanager
async def _server_connection(server: PostgresServer) -> AsyncIterator[AsyncConnection]:
    """A session of PostgreSQL. Raises CannotConnectError, also when a pooler lends sessions for a transaction only."""
    named = replace(server, application_name=server.application_name or _APPLICATION_NAME)

    async def connect() -> Any:
        first = await connect_to_postgres(named, statement_cache_size=0)
        try:
            await refuse_shared_session(
                first, partial(connect_to_postgres, named, statement_cache_size=0, command_timeout=COMMAND_TIMEOUT_S)
            )
        except BaseException:
            first.terminate()
            raise
        return first

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, hide_parameters=True
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _take_lock(connection: AsyncConnection, report: Callable[[str], None]) -> None:
    """PostgreSQL's advisory lock of this database, for the session. Raises MigrationBusyError."""
    until = time.monotonic() + LOCK_WAIT_S
    reported = False
    while not (await connection.execute(text(f"SELECT pg_try_advisory_lock({_LOCK_NUMBER})"))).scalar_one():
        holder = await _holder(connection)
        if time.monotonic() >= until:
            raise MigrationBusyError(
                f"{holder}, for longer than {LOCK_WAIT_S:g} s; end it, or repeat this when it is done"
            )
        if not reported:
            report(f"{holder}; waiting {LOCK_WAIT_S:g} s for it at most")
            reported = True
        await asyncio.sleep(LOCK_INTERVAL_S)
    await connection.commit()


async def _holder(connection: AsyncConnection) -> str:
    found = (await connection.execute(text(_HOLDER))).first()
    await connection.rollback()
    if found is None:  # it has just let go
        return "another process migrates this database"
    process, name, start_time = found
    since = f"since {start_time:%Y-%m-%d %H:%M:%S} UTC" if start_time else "since a time that only its own role may see"
    return f"another process migrates this database: connection {process} ({name}), there {since}, holds the lock"


async def _open_file(path: Path) -> aiosqlite.Connection:
    """As the store opens it: a path is taken literally, not unquoted."""
    connection = aiosqlite.connect(path)
    try:
        await connection
    except BaseException:
        # It was asked to stop, and must not outlive the loop that it answers to.
        connection._thread.join()  # noqa: SLF001
        raise
    return connection


async def _on_file(path: Path, action: Callable[[Connection], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        "sqlite+aiosqlite://", async_creator=partial(_open_file, path), poolclass=NullPool, hide_parameters=True
    )
    try:
        _use_real_transactions(engine)
        with _FileTurn(path):
            async with engine.connect() as connection:
                await connection.run_sync(action)
    finally:
        await engine.dispose()


def _use_real_transactions(engine: AsyncEngine) -> None:
    """The driver would commit before each DDL statement; a migration is to be applied whole or not at all."""

    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class _FileTurn:
    """Waits for its turn to migrate a file."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".migrate.lock")
        self._handle = -1
        self._is_folder = path.is_dir()

    def __enter__(self) -> None:
        if self._is_folder:  # no database: whoever opens it is told so, and nothing is left in its folder
            return
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "billing_service.storage:migrations")
    config.attributes["connection"] = connection
    return config


def _upgrade(file: Path | None, connection: Connection) -> None:
    """`file`: to be kept from others while there is something to apply."""
    is_newest = _migration_missing(connection) is None
    connection.rollback()  # or Alembic would leave the commit to whoever began
    if is_newest:
        return
    # Some SQLite versions corrupt a file on which two connections write, and a service that runs would be one of them.
    lock = FileLock(file) if file is not None else None
    try:
        command.upgrade(_config(connection), "head")
    finally:
        if lock is not None:
            lock.release()


def _check(connection: Connection) -> None:
    missing = _migration_missing(connection)
    if missing is not None:
        raise SchemaOutdatedError(f"{missing}: run `billing migrate`")


def _migration_missing(connection: Connection) -> str | None:
    """What the database lacks, None for nothing. Raises SchemaOutdatedError when it is this program that is too old."""
    script = ScriptDirectory.from_config(_config(connection))
    newest, current = script.get_current_head(), MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {known.revision for known in script.walk_revisions()}:
        raise SchemaOutdatedError(
            f"the database is at migration {current}, which this program does not know: a newer one made it, and an "
            f"older one must not use it"
        )
    return (
        None if current == newest else f"the database is at migration {current or 'none'}, this program needs {newest}"
    )


def migrate_now(database_url: str) -> None:
    """`migrate` for callers without an event loop."""
    asyncio.run(migrate(parse_database_url(database_url)))
