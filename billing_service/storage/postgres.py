"""PostgreSQL, and what speaks its protocol, through asyncpg. Any number of service processes share one database.

READ COMMITTED with the account's row locked first is the defence; CHECKs and unique keys stand behind it. Every statement
after the lock sees what was committed before the lock was granted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import structlog

from billing_service.domain.refusals import storage_unavailable
from billing_service.storage import failures
from billing_service.storage.postgres_connections import Connections
from billing_service.storage.statements import (
    Call,
    Compiled,
    Glance,
    Guarded,
    Kind,
    Statement,
    Together,
    Work,
    compile_statement,
    ended,
    join_guarded,
    join_writes,
    postgresql_dialect,
)
from billing_service.storage.store import BEGIN_AND_COMMIT, StaleError, StoreCounters, rerun_on_conflict

T = TypeVar("T")
log = structlog.get_logger(__name__)

CONNECTIONS_MAX = 8
"""More transactions at once only queue on locks; the ledger's writer uses one connection at a time."""
CONNECT_TIMEOUT_S = 5.0
LOCK_TIMEOUT_MS = 500
"""Transactions take milliseconds; whoever holds a lock for longer is stuck, and must not hold up everybody else's batch."""
STATEMENT_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
COMMAND_TIMEOUT_S = 6.0
"""A little more than the server's own limit, for a server that does not answer at all."""

_SESSION = {
    "synchronous_commit": "on",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    "default_transaction_isolation": "read committed",
    "application_name": "prepaid-billing",
}
_PLANNING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""Every hot statement finds its rows by key. Planning each batch anew costs more than running it, and a plan made while a table was
small would read all of it once it is large. Wishes, not conditions: other databases of this protocol know only some of them."""
_ALLOCATE = "CREATE TEMPORARY TABLE billing_probe ON COMMIT DROP AS SELECT repeat('x', 1000) FROM generate_series(1, 64)"
"""Needs pages that no table has yet. Never committed."""
SEARCH_TIMEOUT_S = 86_400.0
"""No limit to speak of: asyncpg takes its absence for the limit of a call."""
_SEARCHING = (
    "SELECT set_config(name, CASE name WHEN 'statement_timeout' THEN '0' ELSE 'on' END, true) FROM pg_settings WHERE name = ANY ($1)"
)
_SEARCHING_SETTINGS = ["statement_timeout", "enable_seqscan", "enable_hashjoin", "enable_mergejoin"]
"""Until the transaction ends, and where the database has them."""
_UNSAFE_SETTINGS = (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"))


class PostgresStore:
    """See `storage.store.Store`. Open it with `open_postgres`."""

    name = "postgresql"

    def __init__(self, pool: Connections) -> None:
        self.counters = StoreCounters()
        self.read_counters = StoreCounters()
        self._pool = pool
        self._compiled: dict[Statement, Compiled] = {}
        self._joined: dict[tuple[Statement, ...], str] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._disk_was_full = False

    async def write(self, work: Callable[[], Work[T]]) -> T:
        return await self._finish(rerun_on_conflict(lambda: self._guard(self._transact(work)), self.counters))

    async def read(self, work: Callable[[], Work[T]]) -> T:
        return await self._finish(rerun_on_conflict(lambda: self._guard(self._look(work)), self.counters))

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
            log.warning("database", error=type(error).__name__)
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
                return await self._drive(connection, work(), self.read_counters, begin="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            finally:
                await _roll_back(connection)

    async def _drive(self, connection: Any, work: Work[T], counters: StoreCounters, *, begin: str) -> T:
        """Runs a unit in a transaction, which is open when it ends, unless all that it did was one guarded step."""
        answer: Any = None
        begun = False
        try:
            while True:
                wanted = work.send(answer)
                counters.statements += 1
                if isinstance(wanted, Guarded):
                    assert not begun, "a guarded step is all that a unit does"
                    await self._execute_guarded(connection, wanted)
                    counters.commits += 1
                    return ended(work)
                if isinstance(wanted, Glance):
                    answer = await self._execute(connection, wanted.call)
                    continue
                if not begun:
                    counters.statements += BEGIN_AND_COMMIT
                    await connection.execute(begin)
                    begun = True
                answer = await (
                    self._execute_together(connection, wanted) if isinstance(wanted, Together) else self._execute(connection, wanted)
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
            column for call in together.calls for column in self._compile(call.statement).arguments(tuple(zip(*call.values, strict=True)))
        ]
        return list(await connection.fetchrow(sql, *arguments))

    async def _execute_guarded(self, connection: Any, guarded: Guarded) -> None:
        """One statement, and so a transaction by itself: its locks, its writes, and its end if a row was not as believed."""
        calls = (guarded.held, *guarded.calls)
        statements = tuple(call.statement for call in calls)
        sql = self._joined.get(statements)
        if sql is None:
            held, *texts = [self._compile(statement).sql for statement in statements]
            sql = self._joined[statements] = join_guarded(held, texts)
        arguments = [column for call in calls for column in self._compile(call.statement).arguments(tuple(zip(*call.values, strict=True)))]
        try:
            await connection.fetch(sql, *arguments, *(len(call.values) for call in calls))
        except (asyncpg.DivisionByZeroError, asyncpg.IntegrityConstraintViolationError, asyncpg.LockNotAvailableError) as error:
            raise StaleError(error.sqlstate or "") from error

    def _compile(self, statement: Statement) -> Compiled:
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = compile_statement(statement, postgresql_dialect())
        return compiled

    async def probe(self) -> None:
        await self._finish(self._guard(self._begin_and_roll_back()))

    async def _begin_and_roll_back(self) -> None:
        async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
            await connection.execute("BEGIN")
            try:
                if await connection.fetchval("SHOW transaction_read_only") != "off":
                    raise storage_unavailable("the database is read-only")
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


async def open_postgres(url: str) -> PostgresStore:
    """Opens a migrated database. Raises Failure when it can't be reached or would lose acknowledged commits."""
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=CONNECTIONS_MAX,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings=_SESSION,
            init=_ask_for_plans,
            reset=_nothing_to_reset,
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise failures.from_postgres(error) from error
    store = PostgresStore(Connections(pool))
    try:
        await _confirm(pool)
    except BaseException:
        await store.close()
        raise
    return store


async def _ask_for_plans(connection: Any) -> None:
    for name, value in _PLANNING.items():
        try:
            await connection.execute(f"SET {name} = '{value}'")
        except asyncpg.UndefinedObjectError:
            log.info("setting_unknown_to_database", name=name)


async def _nothing_to_reset(_connection: Any) -> None:
    """Spares a round trip: a unit of work always ends its transaction and sets nothing for its session."""


async def _confirm(pool: Any) -> None:
    """Reads back what durability rests on."""
    rows = await pool.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", [name for name, _ in _UNSAFE_SETTINGS])
    settings = {row["name"]: row["setting"] for row in rows}
    unsafe = [f"{name}={value}" for name, value in _UNSAFE_SETTINGS if settings.get(name) == value]
    if unsafe:
        raise storage_unavailable(f"PostgreSQL would lose acknowledged commits: {', '.join(unsafe)}")
