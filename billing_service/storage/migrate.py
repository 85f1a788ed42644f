"""Brings a database to the newest schema. Safe to run at once from several processes: one migrates, the others wait.

Whether anything is missing is asked of the driver alone. Alembic, and what it needs of SQLAlchemy, are loaded where
there is something to apply: they would take a tenth of a serving process's memory.
"""

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import structlog

from billing_service.storage.database_url import Database, PostgresServer, SqliteFile, parse_database_url
from billing_service.storage.postgres.connect import CannotConnectError
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
        with _turn(database.path):
            if _migration_missing(await _revisions_of_file(database.path)) is not None:
                await _upgrade_file(database.path, is_kept=file_is_kept)
        return
    async with _server_connection(database) as connection:
        if _migration_missing(await _revisions_of_server(connection)) is None:
            return
        await _take_lock(connection, report)
        try:
            if _migration_missing(await _revisions_of_server(connection)) is not None:
                from billing_service.storage.alembic_upgrade import upgrade_server

                await upgrade_server(connection)
        finally:
            await connection.execute(f"SELECT pg_advisory_unlock({_LOCK_NUMBER})")


async def check_schema(database: Database) -> None:
    """Raises SchemaOutdatedError unless the database is at this program's newest migration. Waits for nobody on
    PostgreSQL."""
    if isinstance(database, SqliteFile):
        with _turn(database.path):
            missing = _migration_missing(await _revisions_of_file(database.path))
    else:
        async with _server_connection(database) as connection:
            missing = _migration_missing(await _revisions_of_server(connection))
    if missing is not None:
        raise SchemaOutdatedError(f"{missing}: run `billing migrate`")


@cache
def known_revisions() -> tuple[str, ...]:
    """Of all migrations of this program, the newest last. A file's name begins with its revision."""
    names = (each.name for each in files("billing_service.storage.migrations").joinpath("versions").iterdir())
    return tuple(sorted(name[1:5] for name in names if name.startswith("m") and name.endswith(".py")))


def _migration_missing(revisions: Sequence[str]) -> str | None:
    """What a database with these rows of Alembic's lacks, None for nothing. Raises SchemaOutdatedError when it is this
    program that is too old."""
    known, current = known_revisions(), ", ".join(revisions)
    if current and current not in known:
        raise SchemaOutdatedError(
            f"the database is at migration {current}, which this program does not know: a newer one made it, and an "
            f"older one must not use it"
        )
    if current == known[-1]:
        return None
    return f"the database is at migration {current or 'none'}, this program needs {known[-1]}"


@asynccontextmanager
async def _server_connection(server: PostgresServer) -> AsyncIterator[Any]:
    """A session of PostgreSQL, as asyncpg has it. Raises CannotConnectError, also when a pooler lends sessions for a
    transaction only."""
    named = replace(server, application_name=server.application_name or _APPLICATION_NAME)
    connection = await connect_to_postgres(named, statement_cache_size=0)
    try:
        await refuse_shared_session(
            connection, partial(connect_to_postgres, named, statement_cache_size=0, command_timeout=COMMAND_TIMEOUT_S)
        )
        yield connection
    except BaseException:
        connection.terminate()
        raise
    await connection.close()


async def _revisions_of_server(connection: Any) -> list[str]:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return []
    return [row[0] for row in await connection.fetch("SELECT version_num FROM alembic_version")]


async def _revisions_of_file(path: Path) -> list[str]:
    """Raises CannotConnectError where the file is no database or can't be opened."""

    def read() -> list[str]:
        with closing(sqlite3.connect(path)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall():
                return []
            return [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]

    try:
        return await asyncio.to_thread(read)
    except sqlite3.Error as error:
        raise CannotConnectError(f"the database can't be used: {error}") from error


async def _upgrade_file(path: Path, *, is_kept: bool) -> None:
    """A file that the caller does not keep is kept from others meanwhile. Some SQLite versions corrupt a file on which
    two connections write, and a service that runs would be one of them."""
    from billing_service.storage.alembic_upgrade import upgrade_file

    lock = None if is_kept else FileLock(path)
    try:
        await upgrade_file(path)
    finally:
        if lock is not None:
            lock.release()


async def _take_lock(connection: Any, report: Callable[[str], None]) -> None:
    """PostgreSQL's advisory lock of this database, for the session. Raises MigrationBusyError."""
    until = time.monotonic() + LOCK_WAIT_S
    reported = False
    while not await connection.fetchval(f"SELECT pg_try_advisory_lock({_LOCK_NUMBER})"):
        holder = await _holder(connection)
        if time.monotonic() >= until:
            raise MigrationBusyError(
                f"{holder}, for longer than {LOCK_WAIT_S:g} s; end it, or repeat this when it is done"
            )
        if not reported:
            report(f"{holder}; waiting {LOCK_WAIT_S:g} s for it at most")
            reported = True
        await asyncio.sleep(LOCK_INTERVAL_S)


async def _holder(connection: Any) -> str:
    found = await connection.fetchrow(_HOLDER)
    if found is None:  # it has just let go
        return "another process migrates this database"
    process, name, start_time = found
    since = f"since {start_time:%Y-%m-%d %H:%M:%S} UTC" if start_time else "since a time that only its own role may see"
    return f"another process migrates this database: connection {process} ({name}), there {since}, holds the lock"


def _turn(path: Path) -> "_FileTurn":
    path.parent.mkdir(parents=True, exist_ok=True)
    return _FileTurn(path)


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


def migrate_now(database_url: str) -> None:
    """`migrate` for callers without an event loop."""
    asyncio.run(migrate(parse_database_url(database_url)))
