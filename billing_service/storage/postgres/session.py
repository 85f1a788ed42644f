"""What a connection to PostgreSQL must be before the ledger uses it: one session of its own, with limits in force.

Limits are set after connecting, not while: poolers such as pgbouncer refuse most settings of a start-up packet, or drop
them silently.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import structlog

from billing_service.storage.postgres.connect import CannotConnectError, first_line

log = structlog.get_logger(__name__)

LOCK_TIMEOUT_MS: Final = 500
"""Transactions take milliseconds; whoever holds a lock for longer is stuck, and must not hold up everybody else's
batch."""
STATEMENT_TIMEOUT_MS: Final = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 10_000
COMMAND_TIMEOUT_S: Final = 6.0
"""A little more than the server's own limit, for a server that does not answer at all."""

LIMITS: Final = {
    "synchronous_commit": "on",
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    "default_transaction_isolation": "read committed",
}
PLANNING: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""Every hot statement finds its rows by key. Planning each batch anew costs more than running it, and a plan made while
a table was small would read all of it once it is large. Wishes, not conditions: other databases of this protocol know
only some of them."""
_UNSAFE: Final = (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"))
_POOLED: Final = (
    "a pooler hands each transaction to another session (pool_mode=transaction): the ledger needs sessions; "
    "use its session mode, or the server's own port"
)
_TOO_FEW: Final = "a pooler gave no second session within {:g} s: the ledger needs 2 at the least, and uses up to 8"
_STATEMENT_LOST: Final = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
"""What was prepared in one session was looked for in another."""


async def set_limits(connection: Any) -> None:
    """For each new connection. Raises what the server says."""
    await connection.execute("; ".join(f"SET {name} = '{value}'" for name, value in LIMITS.items()))
    for name, value in PLANNING.items():
        try:
            await connection.execute(f"SET {name} = '{value}'")
        except asyncpg.UndefinedObjectError:
            log.info("setting_unknown_to_database", name=name)


async def confirm(connection: Any) -> None:
    """Reads back what durability and everybody's patience rest on. Any level of commit that waits for the disk will do.
    Raises CannotConnectError."""
    names = sorted({name for name, _ in _UNSAFE} | set(LIMITS))
    rows = await connection.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", names)
    settings = {row["name"]: row["setting"] for row in rows}
    unsafe = [f"{name}={value}" for name, value in _UNSAFE if settings.get(name) == value]
    if unsafe:
        raise CannotConnectError(f"PostgreSQL would lose acknowledged commits: {', '.join(unsafe)}")
    not_in_force = [
        f"{name}={settings.get(name)} in place of {value}"
        for name, value in LIMITS.items()
        if settings.get(name) != value and name != "synchronous_commit"
    ]
    if not_in_force:
        raise CannotConnectError(
            f"what was set is not in force, so something between here and PostgreSQL drops it: "
            f"{', '.join(not_in_force)}"
        )


async def refuse_shared_session(first: Any, connect: Callable[[], Awaitable[Any]]) -> None:
    """Raises CannotConnectError when a pooler in front of the server lends `first` its session for a transaction only.

    A pooler makes process ids up. Behind one, two connections take turns in transactions, in which neither may ever be
    given another session than its own, or the other's. Both must prepare nothing by name: what is lost between sessions
    would be lost here already.
    """
    second: Any = None
    try:
        process = await _process(first)
        if process == first.get_server_pid():
            return
        second = await connect()
        shared = await _takes_turns(first, process, second)
    except _STATEMENT_LOST:
        shared = True
    except TimeoutError:
        raise CannotConnectError(_TOO_FEW.format(COMMAND_TIMEOUT_S)) from None
    except asyncpg.PostgresError as error:
        raise CannotConnectError(f"the database can't be used: {first_line(error)}", error.sqlstate) from error
    finally:
        if second is not None:
            second.terminate()
    if shared:
        raise CannotConnectError(_POOLED)


async def _takes_turns(first: Any, process: int, second: Any) -> bool:
    """Whether the two share sessions. A pooler that lends the session that was given back last, or first, is seen in
    any case."""
    await second.execute("BEGIN")
    others = await second.fetchval("SELECT pg_backend_pid()")
    if others == process:
        return True
    await first.execute("BEGIN")
    again: int = await first.fetchval("SELECT pg_backend_pid()")
    await second.execute("COMMIT")
    await first.execute("COMMIT")
    return again != process or others != await _process(second) or others != await _process(second)


async def _process(connection: Any) -> int:
    """Which of the server's processes a transaction runs in."""
    await connection.execute("BEGIN")
    process: int = await connection.fetchval("SELECT pg_backend_pid()")
    await connection.execute("COMMIT")
    return process
