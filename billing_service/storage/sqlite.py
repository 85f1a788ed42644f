"""The embedded store: one file, one process, one writer connection, a few read-only readers, all through aiosqlite.

A unit of work runs as one function in its connection's thread: a hop a statement would cost more than the statement.
`BEGIN IMMEDIATE` takes the write lock before anything is read, so nothing that was read can be stale when it is written.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite
import orjson
import structlog

from billing_service.domain.refusals import storage_unavailable
from billing_service.storage import failures, sqlite_versions
from billing_service.storage.statements import Call, Compiled, Kind, Statement, Together, Work, compile_statement, sqlite_dialect
from billing_service.storage.store import BEGIN_AND_COMMIT, StoreCounters, rerun_on_conflict

T = TypeVar("T")
log = structlog.get_logger(__name__)

READERS = 2
"""Reads are short; two threads keep them from queueing behind one slow statement."""
BUSY_TIMEOUT_MS = 5_000
"""Only a backup or an operator's shell can hold the lock: the one writer connection queues its own work."""
CACHE_KIB = 64 * 1024
WAL_BYTES_MAX = 16 * 1024 * 1024
"""The journal file shrinks to this after a checkpoint."""
AUTOCHECKPOINT_PAGES = 4_000
"""About 16 MiB of journal between checkpoints: the default of 1,000 pages halves the rate, 10,000 makes pauses of 45 ms."""

_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    f"PRAGMA cache_size=-{CACHE_KIB}",
)
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA journal_size_limit={WAL_BYTES_MAX}",
    f"PRAGMA wal_autocheckpoint={AUTOCHECKPOINT_PAGES}",
)

_READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    "PRAGMA wal_autocheckpoint=0",  # only one connection may checkpoint, on SQLite versions that corrupt otherwise
)


class DatabaseInUseError(Exception):
    """Another process has the file: SQLite here is for one process."""


class SqliteStore:
    """See `storage.store.Store`. Open it with `open_sqlite`."""

    name = "sqlite"

    def __init__(self, path: Path, writer: aiosqlite.Connection, readers: list[aiosqlite.Connection], lock: "FileLock") -> None:
        self._path = path
        self._identity = _identity(path)
        self.counters = StoreCounters()
        self.read_counters = StoreCounters()
        self._writer = writer
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        for reader in readers:
            self._readers.put_nowait(reader)
        self._all_readers = readers
        self._lock = lock
        self._compiled: dict[Statement, Compiled] = {}
        self._running: set[asyncio.Future[Any]] = set()
        self._closed = False

    async def write(self, work: Callable[[], Work[T]]) -> T:
        return await rerun_on_conflict(lambda: self._in_writer(work), self.counters)

    async def _in_writer(self, work: Callable[[], Work[T]]) -> T:
        return await self._finish(self._call(self._writer, self._transact, work))

    async def _finish(self, running: "asyncio.Future[T]") -> T:
        self._running.add(running)
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    def _ended(self, running: "asyncio.Future[Any]") -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()  # seen, also when the caller is gone

    def _call(self, connection: aiosqlite.Connection, function: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        if self._closed:
            raise storage_unavailable("the store is closed")
        # aiosqlite offers no public way to run a function in its thread; `_execute` is what each of its methods calls.
        return asyncio.ensure_future(connection._execute(function, connection, *args))  # type: ignore[no-untyped-call]  # noqa: SLF001

    def _transact(self, connection: aiosqlite.Connection, work: Callable[[], Work[T]]) -> T:
        raw = connection._conn  # noqa: SLF001 - inside the connection's own thread
        self._confirm_file()
        try:
            with _transaction(raw, "BEGIN IMMEDIATE"):
                result = self._drive(raw, work(), self.counters)
                raw.execute("COMMIT")
        except sqlite3.Error as error:
            meaning = failures.from_sqlite(error)
            if meaning is error:
                raise
            raise meaning from error
        self.counters.commits += 1
        return result

    def _drive(self, raw: sqlite3.Connection, work: Work[T], counters: StoreCounters) -> T:
        answer: Any = None
        counters.statements += BEGIN_AND_COMMIT
        try:
            while True:
                wanted = work.send(answer)
                if isinstance(wanted, Together):
                    counters.statements += len(wanted.calls)
                    answer = [self._execute(raw, call) for call in wanted.calls]
                else:
                    counters.statements += 1
                    answer = self._execute(raw, wanted)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            work.close()

    def _execute(self, raw: sqlite3.Connection, call: Call) -> Any:
        statement, values = call
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = compile_statement(statement, sqlite_dialect())
        if statement.bulk:
            order = compiled.order
            rows = values if order == _straight(order) else [tuple(row[i] for i in order) for row in values]
            return raw.executemany(compiled.sql, rows).rowcount if rows else 0
        if compiled.lists:
            values = tuple(_as_json(value) if i in compiled.lists else value for i, value in enumerate(values))
        cursor = raw.execute(compiled.sql, compiled.arguments(values))
        return cursor.fetchall() if statement.kind is Kind.ROWS else cursor.rowcount

    async def read(self, work: Callable[[], Work[T]]) -> T:
        return await rerun_on_conflict(lambda: self._in_reader(work), self.read_counters)

    async def _in_reader(self, work: Callable[[], Work[T]]) -> T:
        reader = await self._readers.get()
        running = self._call(reader, self._look, work)
        running.add_done_callback(lambda _: self._readers.put_nowait(reader))
        return await self._finish(running)

    def _look(self, connection: aiosqlite.Connection, work: Callable[[], Work[T]]) -> T:
        raw = connection._conn  # noqa: SLF001 - inside the connection's own thread
        try:
            with _transaction(raw, "BEGIN"):
                return self._drive(raw, work(), self.read_counters)
        except sqlite3.Error as error:
            meaning = failures.from_sqlite(error)
            if meaning is error:
                raise
            raise meaning from error

    async def probe(self) -> None:
        await self._finish(self._call(self._writer, self._commit_nothing))

    def _commit_nothing(self, connection: aiosqlite.Connection) -> None:
        raw = connection._conn  # noqa: SLF001 - inside the connection's own thread
        self._confirm_file()
        try:
            with _transaction(raw, "BEGIN IMMEDIATE"):
                raw.execute("PRAGMA user_version=0")  # as it is; yet a page goes to the disk, and a full one says so
                raw.execute("COMMIT")
        except sqlite3.Error as error:
            raise storage_unavailable() from error

    def _confirm_file(self) -> None:
        """SQLite goes on in a file that was deleted, and all it acknowledges would be gone with the process."""
        try:
            found = _identity(self._path)
        except OSError as error:
            raise storage_unavailable("the database file is gone") from error
        if found != self._identity:
            raise storage_unavailable("another file is in the place of the database")

    async def close(self) -> None:
        while self._running:
            await asyncio.wait(self._running)
        if self._closed:
            return
        self._closed = True
        for connection in (*self._all_readers, self._writer):
            await connection.close()
        self._lock.release()


@contextmanager
def _transaction(raw: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Leaves no transaction open, also when BEGIN took effect and failed, or when SQLite rolled back by itself."""
    if raw.in_transaction:
        raw.execute("ROLLBACK")  # the last one failed, and the connection must not stay unusable for ever
    try:
        raw.execute(begin)
        yield
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _straight(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(len(order)))


def _as_json(values: Any) -> str:
    return orjson.dumps(list(values)).decode()


class FileLock:
    """Keeps a second process off the file, for as long as this one lives: the kernel lets go when the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise DatabaseInUseError(f"{path} is in use by another process; SQLite serves one, PostgreSQL many") from error

    def release(self) -> None:
        os.close(self._handle)


async def _nothing_before() -> None:
    """The file is ready."""


async def open_sqlite(path: Path, before: Callable[[], Awaitable[None]] = _nothing_before) -> SqliteStore:
    """Opens a migrated database file, after running `before` with the file kept for this process. Raises DatabaseInUseError, what
    `before` raises, or Failure when the file can't be opened."""
    sqlite_versions.check(sqlite3.sqlite_version_info)
    lock = FileLock(path)
    opened: list[aiosqlite.Connection] = []
    try:
        await before()
        writer = await _connect(f"file:{quote(str(path))}?mode=rw", (*_PRAGMAS, *_WRITER_PRAGMAS))
        opened.append(writer)
        await _confirm(writer)
        for _ in range(READERS):
            opened.append(await _connect(f"file:{quote(str(path))}?mode=ro", (*_PRAGMAS, *_READER_PRAGMAS)))  # noqa: PERF401 - closed on failure
    except BaseException as error:
        for connection in opened:
            await connection.close()
        lock.release()
        if isinstance(error, sqlite3.Error):
            raise failures.from_sqlite(error) from error
        raise
    return SqliteStore(path, opened[0], opened[1:], lock)


async def _connect(uri: str, pragmas: tuple[str, ...]) -> aiosqlite.Connection:
    connection = aiosqlite.connect(uri, uri=True, isolation_level=None, cached_statements=256)
    try:
        await connection
    except BaseException:
        connection._thread.join()  # noqa: SLF001 - told to stop, and not awaited: it must not outlive the loop that it answers to
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
        raise storage_unavailable(f"SQLite is not safe to use: journal_mode={mode} synchronous={synchronous} quick_check={healthy}")
