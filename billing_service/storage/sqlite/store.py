"""The embedded store, through aiosqlite: every connection has a thread.

A unit of work runs as one function in its connection's thread: a hop a statement would cost more than the statement.
Only a conditional write, where all is decided, and the unlocked reads before it run on the event loop; the commit is
the thread's. `BEGIN IMMEDIATE` takes the write lock before anything is read, so nothing that was read can be stale when
it is written.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import structlog

from billing_service.domain.refusals import Failure, storage_unavailable
from billing_service.storage import failures
from billing_service.storage.sqlite.file_lock import FileLock
from billing_service.storage.sqlite.statements import Repeated, SqliteStatements, drive
from billing_service.storage.sqlite.wal import WalWatch, checkpoint
from billing_service.storage.statements import Call, ConditionalWrite, Together, UnlockedRead, Work, ended
from billing_service.storage.store import BEGIN_AND_COMMIT, ConflictError, StaleError, StoreCounters, rerun_on_conflict

T = TypeVar("T")
log = structlog.get_logger(__name__)

BUSY_TIMEOUT_S = 5.0
"""Only a backup or an operator's shell can hold the lock: the one writer connection queues its own work."""
BUSY_PAUSE_S = 0.002


class SqliteStore:
    """See `storage.store.Store`. Open it with `storage.sqlite.connections.open_sqlite`."""

    name = "sqlite"

    def __init__(
        self, path: Path, writer: aiosqlite.Connection, readers: list[aiosqlite.Connection], lock: FileLock
    ) -> None:
        self._path = path
        self._identity = identity_of(path)
        self.counters = StoreCounters()
        self.read_counters = StoreCounters()
        self._writer = writer
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        for reader in readers:
            self._readers.put_nowait(reader)
        self._all_readers = readers
        self._lock = lock
        self._statements = SqliteStatements()
        self._writing = asyncio.Lock()
        """Held by the one unit that has the writer connection, in whichever thread it works."""
        self._wal = WalWatch(path)
        self._running: set[asyncio.Future[Any]] = set()
        self._closed = False

    async def write(self, work: Callable[[], Work[T]]) -> T:
        return await self.write_by_attempt(lambda _attempt: work())

    async def write_by_attempt(self, work: Callable[[int], Work[T]]) -> T:
        # Short.
        attempt = lambda number: self._finish(asyncio.ensure_future(self._in_writer(lambda: work(number))))  # noqa: E731
        return await rerun_on_conflict(attempt, self.counters)

    async def _in_writer(self, work: Callable[[], Work[T]]) -> T:
        async with self._writing:
            self._confirm_open()
            result = await self._run(work())
        if self._wal.is_due():
            self._keep(asyncio.ensure_future(self._shorten_journal()))
        return result

    async def _run(self, unit: Work[T]) -> T:
        try:
            wanted = next(unit)
            while isinstance(wanted, UnlockedRead):
                wanted = unit.send(self._read_unlocked(wanted))
        except StopIteration as end:
            result: T = end.value
            return result
        if not isinstance(wanted, ConditionalWrite):
            return await self._call(self._writer, self._transact, unit, wanted)
        return ended(unit, await self._write_conditionally(wanted))

    async def _shorten_journal(self) -> None:
        """Checkpoints while nobody reads, so that the next commit begins the log anew. Reads are short; for the next
        ones it takes as long as a checkpoint."""
        taken: list[aiosqlite.Connection] = []
        try:
            while len(taken) < len(self._all_readers):
                taken.append(await self._readers.get())
            async with self._writing:
                await self._call(self._writer, checkpoint)
        except Failure as failure:  # no caller waits for it; the next transaction meets its own failure
            log.warning("wal_not_checkpointed", error=failure.message)
        finally:
            for reader in taken:
                self._readers.put_nowait(reader)

    def _read_unlocked(self, unlocked_read: UnlockedRead) -> Any:
        """Reads a few rows by their keys here, for the reason given below."""
        self.counters.statements += 1
        self._confirm_file()
        with failures.of_sqlite():
            raw = self._writer._conn  # noqa: SLF001 - nobody else has it while `_writing` is held
            roll_back(raw)
            return self._execute(raw, unlocked_read.call)

    async def _write_conditionally(self, conditional: ConditionalWrite) -> Sequence[str]:
        """Writes here, on the event loop, and commits in the connection's thread. The statements are short and wait for
        nothing. In the thread each would release the GIL twice and wait to re-acquire it, for longer than the statement
        takes. Answers with the accounts that were not as expected."""
        raw = self._writer._conn  # noqa: SLF001 - nobody else has it while `_writing` is held
        others: list[str] = []
        try:
            self._write_all(raw, conditional.calls)
        except StaleError:  # rare: all that writes is this process or the command line
            others, fitting = self._fitting(raw, conditional)
            if not others:
                raise
            self.counters.stale += 1
            if not fitting:
                return others
            self._write_all(raw, fitting)
        await self._call(self._writer, self._commit)
        return others

    def _write_all(self, raw: sqlite3.Connection, calls: Sequence[Call]) -> None:
        """Writes in a transaction that is open afterwards; in none and nothing if that fails."""
        writes = [self._statements.repeated(call) for call in calls]
        if not self._begin(raw):
            raise StaleError("SQLITE_BUSY")
        with failures.of_sqlite():
            try:
                self._run_repeated(raw, writes)
            except BaseException:
                roll_back(raw)
                raise

    def _fitting(self, raw: sqlite3.Connection, conditional: ConditionalWrite) -> tuple[list[str], list[Call]]:
        """The accounts that are not as expected, and the writes of the others."""
        text, rows = self._statements.repeated(conditional.locks)
        self.counters.statements += 1
        with failures.of_sqlite():
            as_expected = {row[0] for values in rows for row in raw.execute(text, values)}
        others = [row[0] for row in conditional.locks.values if row[0] not in as_expected]
        fitting = [(call, tuple(row for row in call.values if row[0] in as_expected)) for call in conditional.calls]
        return others, [call._replace(values=values) for call, values in fitting if values]

    async def _finish(self, running: "asyncio.Future[T]") -> T:
        return await asyncio.shield(self._keep(running))

    def _keep(self, running: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """It ends, whatever becomes of its caller, and before the store closes."""
        self._running.add(running)
        running.add_done_callback(self._ended)
        return running

    def _ended(self, running: "asyncio.Future[Any]") -> None:
        self._running.discard(running)
        if not running.cancelled():
            running.exception()  # seen, also when the caller is gone

    async def _call(self, connection: aiosqlite.Connection, function: Callable[..., T], *args: Any) -> T:
        self._confirm_open()
        # aiosqlite offers no public way to run a function in its thread; `_execute` is what each of its methods calls.
        result: T = await connection._execute(function, connection, *args)  # type: ignore[no-untyped-call]  # noqa: SLF001
        return result

    def _begin(self, raw: sqlite3.Connection) -> bool:
        """Takes the write lock; False when another program has it."""
        self._confirm_file()
        with failures.of_sqlite():
            roll_back(raw)  # whatever failed before must not leave the connection unusable for ever
            try:
                raw.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                roll_back(raw)
                if failures.is_busy(error):
                    return False
                raise
        return True

    def _begin_waiting(self, connection: aiosqlite.Connection) -> sqlite3.Connection:
        """The connection with the write lock, for which it waits here and not in SQLite: the event loop uses it too."""
        raw = connection._conn  # noqa: SLF001 - inside the connection's own thread
        give_up = time.monotonic() + BUSY_TIMEOUT_S
        while not self._begin(raw):
            if time.monotonic() > give_up:
                raise ConflictError("SQLITE_BUSY", waited=True)
            time.sleep(BUSY_PAUSE_S)
        return raw

    def _transact(self, connection: aiosqlite.Connection, unit: Work[T], wanted: Call | Together) -> T:
        with self._committed(self._begin_waiting(connection)) as raw:
            return drive(unit, wanted, partial(self._execute, raw), self.counters)

    def _commit(self, connection: aiosqlite.Connection) -> None:
        with self._committed(connection._conn):  # noqa: SLF001 - inside the connection's own thread
            """All has been written."""

    def _run_repeated(self, raw: sqlite3.Connection, writes: Sequence[Repeated]) -> None:
        self.counters.statements += BEGIN_AND_COMMIT + len(writes)
        try:
            for text, rows in writes:
                if raw.executemany(text, rows).rowcount != len(rows):
                    raise StaleError(text)
        except sqlite3.IntegrityError as error:
            raise StaleError(str(error)) from error

    @contextmanager
    def _committed(self, raw: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        """Commits what the block did in the open transaction, or leaves none open and nothing done."""
        with failures.of_sqlite():
            try:
                yield raw
                raw.execute("COMMIT")
            finally:
                roll_back(raw)
        self.counters.commits += 1

    def _execute(self, raw: sqlite3.Connection, call: Call) -> Any:
        return self._statements.execute(raw, call)

    async def read(self, work: Callable[[], Work[T]]) -> T:
        return await rerun_on_conflict(lambda _number: self._in_reader(work), self.read_counters)

    async def _in_reader(self, work: Callable[[], Work[T]]) -> T:
        reader = await self._readers.get()
        running = asyncio.ensure_future(self._call(reader, self._look, work))
        running.add_done_callback(lambda _: self._readers.put_nowait(reader))
        return await self._finish(running)

    def _look(self, connection: aiosqlite.Connection, work: Callable[[], Work[T]]) -> T:
        raw = connection._conn  # noqa: SLF001 - inside the connection's own thread
        with failures.of_sqlite():
            try:
                roll_back(raw)
                raw.execute("BEGIN")
                return drive(work(), None, partial(self._execute, raw), self.read_counters)
            finally:
                roll_back(raw)

    async def probe(self) -> None:
        await self._finish(asyncio.ensure_future(self._probe()))

    async def _probe(self) -> None:
        async with self._writing:
            await self._call(self._writer, self._commit_nothing)

    def _commit_nothing(self, connection: aiosqlite.Connection) -> None:
        try:
            raw = self._begin_waiting(connection)
            try:
                raw.execute("PRAGMA user_version=0")  # as it is; yet a page goes to the disk, and a full one says so
                raw.execute("COMMIT")
            finally:
                roll_back(raw)
        except (ConflictError, sqlite3.Error) as error:
            raise storage_unavailable() from error

    def _confirm_open(self) -> None:
        if self._closed:
            raise storage_unavailable("the store is closed")

    def _confirm_file(self) -> None:
        """SQLite goes on in a file that was deleted, and all it acknowledges would be gone with the process."""
        try:
            found = identity_of(self._path)
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
        async with self._writing:
            for connection in (*self._all_readers, self._writer):
                await connection.close()
        self._lock.release()


def roll_back(raw: sqlite3.Connection) -> None:
    """Leaves no transaction open, also when BEGIN took effect and failed. SQLite may have rolled back by itself."""
    if raw.in_transaction:
        raw.execute("ROLLBACK")


def identity_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
