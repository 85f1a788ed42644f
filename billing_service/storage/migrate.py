"""Brings a database to the newest schema, by Alembic. Safe to run at once from several processes: one migrates, the others wait."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from billing_service.storage.file_lock import FileLock

_LOCK_NUMBER = 0x70726570
"""PostgreSQL's advisory lock for migrations, which are no money path. ASCII of "prep"."""


class SchemaOutdatedError(Exception):
    """The database needs `billing migrate`, or is newer than this program."""


def sqlalchemy_url(database_url: str) -> str:
    """The same database for SQLAlchemy, with its async driver named."""
    for plain, driver in (
        ("postgresql://", "postgresql+asyncpg://"),
        ("postgres://", "postgresql+asyncpg://"),
        ("sqlite://", "sqlite+aiosqlite://"),
    ):
        if database_url.startswith(plain):
            return driver + database_url.removeprefix(plain)
    return database_url


def sqlite_path(database_url: str) -> Path | None:
    """The file of a SQLite URL (`sqlite:///relative.db`, `sqlite:////absolute.db`); None for another database."""
    for scheme in ("sqlite:///", "sqlite+aiosqlite:///"):
        if database_url.startswith(scheme):
            return Path(database_url.removeprefix(scheme))
    return None


async def migrate(database_url: str, *, file_is_kept: bool = False) -> None:
    """Applies every migration that the database lacks, each in a transaction.

    A SQLite file that lacks one must be nobody's meanwhile: raises DatabaseInUseError, unless the caller says that it keeps the file
    for itself. Raises SchemaOutdatedError when a newer program made the schema.
    """
    path = None if file_is_kept else sqlite_path(database_url)
    await _with_connection(database_url, partial(_upgrade, path))


async def check_schema(database_url: str) -> None:
    """Raises SchemaOutdatedError unless the database is at this program's newest migration."""
    await _with_connection(database_url, _check)


async def _with_connection(database_url: str, action: Callable[[Connection], None]) -> None:
    path = sqlite_path(database_url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    # As the store opens it: a path is taken as it stands, not unquoted.
    url = sqlalchemy_url(database_url) if path is None else URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        if path is not None:
            _use_real_transactions(engine)
            with _FileTurn(path):
                async with engine.connect() as connection:
                    await connection.run_sync(action)
        else:
            async with engine.connect() as connection:
                await connection.execute(text(f"SELECT pg_advisory_lock({_LOCK_NUMBER})"))
                await connection.commit()
                try:
                    await connection.run_sync(action)
                finally:
                    await connection.rollback()
                    await connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK_NUMBER})"))
                    await connection.commit()
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

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
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
            f"the database is at migration {current}, which this program does not know: a newer one made it, and an older one must not use it"
        )
    return None if current == newest else f"the database is at migration {current or 'none'}, this program needs {newest}"


def migrate_now(database_url: str) -> None:
    """`migrate` for callers without an event loop."""
    asyncio.run(migrate(database_url))
