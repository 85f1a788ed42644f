"""The product's SQLite store without its threads: one connection, each unit of work at its turn, and crashes at any
statement."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from billing_service.domain.refusals import storage_unavailable
from billing_service.storage.sqlite.connections import _PRAGMAS, _READER_PRAGMAS, _WRITER_PRAGMAS
from billing_service.storage.sqlite.statements import SqliteStatements
from billing_service.storage.sqlite.store import SqliteStore
from billing_service.storage.store import ConflictError

STATEMENTS_TO_FAULT_MAX = 14
LASTING_MAX = 30
"""Statements that a lasting conflict strikes: enough for a batch to be given up, and its accounts by themselves after
it."""


class Crash(BaseException):
    """The process ends here."""


class Faults:
    """What the next transaction will meet; armed by the simulation, one at a time."""

    KINDS = ("before", "after commit", "conflict", "full disk", "crash", "crash after commit")

    def __init__(self, chance, more=()):
        """`more` kinds of faults than all worlds have."""
        self._chance = chance
        self._kinds = (*self.KINDS, *more)
        self.kind = ""
        self._statements_left = 0
        self._lasting = 0
        self.met = Counter()

    def arm(self):
        self.kind = self._chance.choice(self._kinds)
        self._statements_left = self._chance.randrange(STATEMENTS_TO_FAULT_MAX)
        self._lasting = self._chance.randrange(LASTING_MAX) if self.kind == "lasting conflict" else 0

    def disarm(self):
        self.kind = ""

    def meets(self, kind):
        """Whether a fault of this kind strikes now. It strikes once, unless it lasts."""
        if self.kind != kind:
            return False
        if kind in ("conflict", "lasting conflict", "full disk", "crash") and self._statements_left:
            self._statements_left -= 1
            return False
        self.met[kind] += 1
        if self._lasting:
            self._lasting -= 1
        else:
            self.kind = ""
        return True


def copy_as_it_stands(path: Path, to: Path):
    """The database as a process that dies now leaves it: what is in the files, and nothing that is in memory."""
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, to.with_name(to.name + suffix))


class SimulatedStore(SqliteStore):
    """`on_commit` sees the connection after every commit, before anybody hears of it."""

    compiled_before = SqliteStatements()
    """Statements never change; compiling them anew for every seed would take most of the time."""

    def __init__(self, path, turns, faults, on_commit):
        self.raw, self._reading = (sqlite3.connect(path, isolation_level=None, cached_statements=256) for _ in range(2))
        for pragma in (*_PRAGMAS, *_WRITER_PRAGMAS):
            self.raw.execute(pragma)
        for pragma in (*_PRAGMAS, *_READER_PRAGMAS):
            self._reading.execute(pragma)
        super().__init__(path, SimpleNamespace(_conn=self.raw), [SimpleNamespace(_conn=self._reading)], lock=None)
        self._statements = self.compiled_before
        self._turns = turns
        self._faults = faults
        self._on_commit = on_commit
        self.survivor = None
        """The file that the next process opens, once this one has crashed."""
        self.beside = None
        """Another process's store of the same file."""

    def share(self, beside):
        """Both write in turn, as a database lets them; and the machine that crashes is that of both."""
        self.beside, beside.beside = beside, self
        beside._writing = self._writing

    async def _call(self, connection, function, *args):
        await self._turns.turn()
        if self.survivor is None:
            with contextlib.suppress(Crash):
                return function(connection, *args)
        return await self._dead()

    async def _in_writer(self, work):
        with contextlib.suppress(Crash):
            return await super()._in_writer(work)
        return await self._dead()

    async def _write_conditionally(self, conditional):
        await self._turns.turn()
        if self.survivor is not None:
            await self._dead()
        return await super()._write_conditionally(conditional)

    async def _dead(self):
        """Nobody is ever answered."""
        await asyncio.get_running_loop().create_future()

    def _begin(self, raw):
        if self._faults.meets("before"):
            raise storage_unavailable("injected")
        return super()._begin(raw)

    @contextlib.contextmanager
    def _committed(self, raw):
        with super()._committed(raw):
            yield raw
        self._on_commit(self.raw)
        if self._faults.meets("after commit"):
            raise storage_unavailable("injected")
        if self._faults.meets("crash after commit"):
            self.crash()
            raise Crash

    def _execute(self, raw, call):
        if raw is self.raw:
            self._strike()
        return super()._execute(raw, call)

    def _run_repeated(self, raw, writes):
        for step in writes:
            self._strike()
            super()._run_repeated(raw, [step])

    def _strike(self):
        if self._faults.meets("conflict") or self._faults.meets("lasting conflict"):
            raise ConflictError("injected")
        if self._faults.meets("full disk"):
            raise storage_unavailable("injected")
        if self._faults.meets("crash"):
            self.crash()
            raise Crash

    def crash(self):
        """From here on the files that the next process will find do not change."""
        if self.survivor is None:
            number = int(self._path.suffix[1:]) + 1
            survivor = self._path.with_suffix(f".{number}")
            copy_as_it_stands(self._path, survivor)
            self.survivor = survivor
            if self.beside is not None:
                self.beside.survivor = survivor

    def abandon(self):
        self.raw.close()
        self._reading.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
