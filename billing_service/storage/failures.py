"""Which of a driver's errors mean what. Every mapping ends in the error itself: what is not known here is a defect."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from billing_service.domain.refusals import storage_unavailable
from billing_service.storage.postgres.connect import CannotConnectError
from billing_service.storage.store import ConflictError

_SQLITE_CONFLICTS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_UNAVAILABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
}
_PRIMARY_CODE = 0xFF
"""SQLite's extended codes carry the primary one in their low byte."""

_LOCK_NOT_AVAILABLE = "55P03"
"""lock_timeout passed."""
_POSTGRES_CONFLICTS = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    _LOCK_NOT_AVAILABLE,
}
_POSTGRES_UNAVAILABLE_CLASSES = {
    "08",  # connection
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "57",  # operator intervention: shutdown, crash, statement timeout
    "58",  # system error: I/O
}
_POSTGRES_UNAVAILABLE = {
    "25006",  # read_only_sql_transaction: a standby, or default_transaction_read_only
    "25P03",  # idle_in_transaction_session_timeout
    "3D000",  # invalid_catalog_name: the database is not there
    "42501",  # insufficient_privilege: a right was taken away from the role, and may come back
}

POSTGRES_ERRORS = (
    CannotConnectError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's goodbye came, and the connection was used before its end was noticed
    OSError,
    TimeoutError,
    EOFError,
)
"""All that the driver raises when the database, or the way to it, fails."""


def from_sqlite(error: sqlite3.Error) -> Exception:
    """A sqlite3 error as ConflictError, Failure or itself."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Raised by the module itself, not by SQLite: the connection is closed under us.
        return storage_unavailable() if isinstance(error, sqlite3.ProgrammingError) else error
    primary = code & _PRIMARY_CODE
    if primary in _SQLITE_CONFLICTS:
        return ConflictError(getattr(error, "sqlite_errorname", "SQLITE_BUSY"))
    if primary in _SQLITE_UNAVAILABLE:
        return storage_unavailable()
    return error


@contextmanager
def of_sqlite() -> Iterator[None]:
    """Raises what SQLite's errors mean."""
    try:
        yield
    except sqlite3.Error as error:
        meaning = from_sqlite(error)
        if meaning is error:
            raise
        raise meaning from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another program has the lock that SQLite wanted."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


def from_postgres(error: Exception) -> Exception:
    """An asyncpg or network error as ConflictError, Failure or itself."""
    if isinstance(error, asyncpg.PostgresError):
        state: str = error.sqlstate or ""
        if state in _POSTGRES_CONFLICTS:
            return ConflictError(state, waited=state == _LOCK_NOT_AVAILABLE)
        if state[:2] in _POSTGRES_UNAVAILABLE_CLASSES or state in _POSTGRES_UNAVAILABLE:
            return storage_unavailable()
    elif isinstance(error, POSTGRES_ERRORS):
        return storage_unavailable()
    return error
