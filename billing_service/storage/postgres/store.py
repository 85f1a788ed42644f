"""PostgreSQL, and what speaks its protocol, through asyncpg. Any number of service processes share one database.

READ COMMITTED with the account's row locked first is the defence; CHECKs and unique keys are the second defence. Every
statement after the lock sees what was committed before the lock was granted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import asyncpg
import structlog

from billing_service.domain.refusals import storage_unavailable
from billing_service.storage import failures
from billing_service.storage.postgres.connect import CannotConnectError, connect, connect_timeout_s, first_line
from billing_service.storage.postgres.connections import Connections
from billing_service.storage.postgres.joining import join_conditional, join_writes
from billing_service.storage.postgres.rights import READING, SERVING, check_rights, missing_rights
from billing_service.storage.postgres.server import PostgresServer
from billing_service.storage.postgres.session import COMMAND_TIMEOUT_S, confirm, set_limits
from billing_service.storage.statements import (
    Call,
    Compiled,
    ConditionalWrite,
    Kind,
    Statement,
    Together,
    UnlockedRead,
    Work,
    compile_statement,
    ended,
    postgresql_dialect,
)
from billing_service.storage.store import BEGIN_AND_COMMIT, StaleError, StoreCounters, rerun_on_conflict

T = TypeVar("T")
log = structlog.get_logger(__name__)

CONNECTIONS_MAX = 8
"""More transactions at once only queue on locks; the ledger's writer uses one connection at a time."""
_ALLOCATE = (
    "CREATE TEMPORARY TABLE billing_probe ON COMMIT DROP AS SELECT repeat('x', 1000) FROM generate_series(1, 64)"
)
"""Needs pages that no table has yet. Never committed."""
SEARCH_TIMEOUT_S = 86_400.0
"""No limit to speak of: asyncpg takes its absence for the limit of a call."""
_SEARCHING = (
    "SELECT set_config(name, CASE name WHEN 'statement_timeout' THEN '0' ELSE 'on' END, true) FROM pg_settings WHERE "
    "name = ANY ($1)"
)
_SEARCHING_SETTINGS = ["statement_timeout", "enable_seqscan", "enable_hashjoin", "enable_mergejoin"]
"""Until the transaction ends, and where the database has them."""


class PostgresStore:
    """See `storage.store.Store`. Open it with `open_postgres`."""

    name = "postgresql"

    def __init__(self, pool: Connections, connect_timeout_s: float) -> None:
        self.counters = StoreCounters()
        self.read_counters = StoreCounters()
        self._pool = pool
        self._connect_timeout_s = connect_timeout_s
        self._dialect = postgresql_dialect()
        self._joined: dict[tuple[Statement, ...], str] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._disk_was_full = False

    async def write(self, work: Callable[[], Work[T]]) -> T:
        return await self.write_by_attempt(lambda _attempt: work())

    async def write_by_attempt(self, work: Callable[[int], Work[T]]) -> T:
        return await self._finish(
            rerun_on_conflict(lambda number: self._guard(self._transact(partial(work, number))), self.counters)
        )

    async def read(self, work: Callable[[], Work[T]]) -> T:
        return await self._finish(rerun_on_conflict(lambda _number: self._guard(self._look(work)), self.counters))

    async def _finish(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: "asyncio.Future[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when the caller is gone

    async def _guard(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except failures.POSTGRES_ERRORS as error:
            meaning = failures.from_postgres(error)
            if meaning is error:
                raise
            log.warning("database", error=type(error).__name__, words=first_line(error))
            self._disk_was_full |= isinstance(error, asyncpg.DiskFullError)
            raise meaning from error

    async def _transact(self, work: Callable[[], Work[T]]) -> T:
        async with self._pool.acquire() as connection:
            try:
                result = await self._drive(connection, work(), self.counters, begin="BEGIN")
                if connection.is_in_transaction():
                    await connection.execute("COMMIT")
                    self.counters.commits += 1
            except BaseException:
                await _roll_back(connection)
                raise
        return result

    async def _look(self, work: Callable[[], Work[T]]) -> T:
        async with self._pool.acquire() as connection:
            try:
                return await self._drive(
                    connection, work(), self.read_counters, begin="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                )
            finally:
                await _roll_back(connection)

    async def _drive(self, connection: Any, work: Work[T], counters: StoreCounters, *, begin: str) -> T:
        """Runs a unit in a transaction, which is open when it ends, unless all that it did was one conditional
        write."""
        answer: Any = None
        begun = False
        try:
            while True:
                wanted = work.send(answer)
                counters.statements += 1
                if isinstance(wanted, ConditionalWrite):
                    assert not begun, "a conditional write is all that a unit does"
                    return ended(work, await self._execute_conditional(connection, wanted))
                if isinstance(wanted, UnlockedRead):
                    answer = await self._execute(connection, wanted.call)
                    continue
                if not begun:
                    counters.statements += BEGIN_AND_COMMIT
                    await connection.execute(begin)
                    begun = True
                answer = await (
                    self._execute_together(connection, wanted)
                    if isinstance(wanted, Together)
                    else self._execute(connection, wanted)
                )
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            work.close()

    async def _execute(self, connection: Any, call: Call) -> Any:
        statement, values = call
        compiled = self._compile(statement)
        if statement.bulk:
            if not values:
                return 0
            values = tuple(zip(*values, strict=True))
        arguments = compiled.arguments(values)
        if statement.searches:
            await connection.execute(_SEARCHING, _SEARCHING_SETTINGS)
            return await connection.fetch(compiled.sql, *arguments, timeout=SEARCH_TIMEOUT_S)
        if statement.kind is Kind.ROWS:
            return await connection.fetch(compiled.sql, *arguments)
        status: str = await connection.execute(compiled.sql, *arguments)
        return int(status.rpartition(" ")[2])

    async def _execute_together(self, connection: Any, together: Together) -> list[int]:
        """All writes as one statement: a common table expression for each, and a count of the rows of each."""
        statements = tuple(call.statement for call in together.calls)
        sql = self._joined.get(statements)
        if sql is None:
            sql = self._joined[statements] = join_writes([self._compile(statement).sql for statement in statements])
        arguments = [
            column
            for call in together.calls
            for column in self._compile(call.statement).arguments(tuple(zip(*call.values, strict=True)))
        ]
        return list(await connection.fetchrow(sql, *arguments))

    async def _execute_conditional(self, connection: Any, conditional: ConditionalWrite) -> list[str]:
        """One statement, and so a transaction by itself: its locks, its writes, and its end if one of them did
        otherwise than expected. Answers with the accounts that were not as expected."""
        calls = (conditional.locks, *conditional.calls)
        statements = tuple(call.statement for call in calls)
        sql = self._joined.get(statements)
        if sql is None:
            locks, *texts = [self._compile(statement).sql for statement in statements]
            sql = self._joined[statements] = join_conditional(locks, texts)
        arguments = [
            column
            for call in calls
            for column in self._compile(call.statement).arguments(tuple(zip(*call.values, strict=True)))
        ]
        try:
            _, others = await connection.fetchrow(sql, *arguments, *(len(call.values) for call in calls))
        except (
            asyncpg.DivisionByZeroError,
            asyncpg.IntegrityConstraintViolationError,
            asyncpg.LockNotAvailableError,
        ) as error:
            raise StaleError(error.sqlstate or "") from error
        if not others:
            self.counters.commits += 1
            return []
        self.counters.stale += 1
        self.counters.commits += len(others) < len(conditional.locks.values)
        return list(others)

    def _compile(self, statement: Statement) -> Compiled:
        return compile_statement(statement, self._dialect)

    async def probe(self) -> None:
        await self._finish(self._guard(self._begin_and_roll_back()))

    async def _begin_and_roll_back(self) -> None:
        async with self._pool.acquire(timeout=self._connect_timeout_s) as connection:
            await connection.execute("BEGIN")
            try:
                if await connection.fetchval("SHOW transaction_read_only") != "off":
                    raise storage_unavailable("the database is read-only")
                missing = await missing_rights(connection, SERVING)
                if missing:
                    raise storage_unavailable(missing)
                if self._disk_was_full:  # else nothing is allocated: every two seconds is too often for that
                    await self._allocate(connection)
            finally:
                await _roll_back(connection)

    async def _allocate(self, connection: Any) -> None:
        """No write comes to find out that there is room again while health says that none should."""
        try:
            await connection.execute(_ALLOCATE)
        except asyncpg.InsufficientPrivilegeError:
            log.info("probe_may_make_no_temporary_table")  # then the next write finds out
        self._disk_was_full = False

    async def close(self) -> None:
        while self._running:
            await asyncio.wait(self._running)
        await self._pool.close()


async def _roll_back(connection: Any) -> None:
    if not connection.is_closed() and connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def open_postgres(server: PostgresServer, *, writes: bool = True) -> PostgresStore:
    """Opens a migrated database, whose schema was checked. That also finds out whether a pooler is in between that
    lends no sessions. Raises CannotConnectError, also when commits would not last, a limit is not in force, or the role
    lacks a right. With `writes` it needs the rights of serving, else those of verifying."""
    pool = asyncpg.create_pool(
        connect=partial(connect, server),
        min_size=1,
        max_size=CONNECTIONS_MAX,
        command_timeout=COMMAND_TIMEOUT_S,
        init=set_limits,
        reset=_nothing_to_reset,
    )
    try:
        await pool
        async with pool.acquire() as connection:
            await confirm(connection)
            await check_rights(connection, SERVING if writes else READING)
    except BaseException as error:
        await pool.close()
        if isinstance(error, failures.POSTGRES_ERRORS) and not isinstance(error, CannotConnectError):
            raise CannotConnectError(
                f"the database can't be used: {first_line(error)}", getattr(error, "sqlstate", None)
            ) from error
        raise
    return PostgresStore(Connections(pool), connect_timeout_s(server))


async def _nothing_to_reset(_connection: Any) -> None:
    """Spares a round trip: a unit of work always ends its transaction and sets nothing for its session."""
