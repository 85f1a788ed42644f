"""Opens the embedded store: one file, one process, one connection that writes, a few that only read."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from billing_service.domain.refusals import storage_unavailable
from billing_service.storage import failures
from billing_service.storage.sqlite import versions as sqlite_versions
from billing_service.storage.sqlite.file_lock import FileLock
from billing_service.storage.sqlite.statements import CACHED_STATEMENTS
from billing_service.storage.sqlite.store import BUSY_TIMEOUT_S, SqliteStore

READERS = 2
"""Reads are short; two threads keep them from queueing behind one slow statement."""
CACHE_KIB = 64 * 1024
WAL_BYTES_KEPT = 8 * 1024 * 1024
"""The WAL shrinks to this when it begins anew."""
AUTOCHECKPOINT_PAGES = 2_000
"""About 8 MiB of WAL between checkpoints. Half or twice as many change the rate by less than it varies."""

_PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    f"PRAGMA cache_size=-{CACHE_KIB}",
)
_WRITER_PRAGMAS = (
    "PRAGMA busy_timeout=0",  # see `_begin`
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA journal_size_limit={WAL_BYTES_KEPT}",
    f"PRAGMA wal_autocheckpoint={AUTOCHECKPOINT_PAGES}",
)

_READER_PRAGMAS = (
    f"PRAGMA busy_timeout={round(BUSY_TIMEOUT_S * 1000)}",
    "PRAGMA query_only=ON",
    "PRAGMA wal_autocheckpoint=0",  # only one connection may checkpoint, on SQLite versions that corrupt otherwise
)


async def _nothing_before() -> None:
    """The file is ready."""


async def open_sqlite(path: Path, before: Callable[[], Awaitable[None]] = _nothing_before) -> SqliteStore:
    """Opens a migrated database file, after running `before` with the file kept for this process. Raises
    DatabaseInUseError, what `before` raises, or Failure when the file can't be opened."""
    sqlite_versions.check(sqlite3.sqlite_version_info)
    lock = FileLock(path)
    opened: list[aiosqlite.Connection] = []
    try:
        await before()
        writer = await _connect(f"file:{quote(str(path))}?mode=rw", (*_PRAGMAS, *_WRITER_PRAGMAS))
        opened.append(writer)
        await _confirm(writer)
        for _ in range(READERS):
            # Closed on failure.
            opened.append(await _connect(f"file:{quote(str(path))}?mode=ro", (*_PRAGMAS, *_READER_PRAGMAS)))  # noqa: PERF401
    except BaseException as error:
        for connection in opened:
            await connection.close()
        lock.release()
        if isinstance(error, sqlite3.Error):
            raise failures.from_sqlite(error) from error
        raise
    return SqliteStore(path, opened[0], opened[1:], lock)


async def _connect(uri: str, pragmas: tuple[str, ...]) -> aiosqlite.Connection:
    connection = aiosqlite.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=CACHED_STATEMENTS
    )
    try:
        await connection
    except BaseException:
        # Stopped, and not awaited: it must not outlive the loop that it answers to.
        connection._thread.join()  # noqa: SLF001
        raise
    try:
        for pragma in pragmas:
            await connection.execute_fetchall(pragma)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _confirm(writer: aiosqlite.Connection) -> None:
    """Reads back what durability rests on: a build or file system may refuse a PRAGMA without an error."""
    (mode,) = next(iter(await writer.execute_fetchall("PRAGMA journal_mode")))
    (synchronous,) = next(iter(await writer.execute_fetchall("PRAGMA synchronous")))
    (healthy,) = next(iter(await writer.execute_fetchall("PRAGMA quick_check(1)")))
    if (mode, synchronous, healthy) != ("wal", 2, "ok"):
        raise storage_unavailable(
            f"SQLite is not safe to use: journal_mode={mode} synchronous={synchronous} quick_check={healthy}"
        )
