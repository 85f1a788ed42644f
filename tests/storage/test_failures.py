"""What each driver error means: tried again, the machine's fault, or a defect that passes as it is."""

import sqlite3

import asyncpg
import pytest

from billing_service.domain.refusals import Failure, Reason
from billing_service.storage import failures
from billing_service.storage.store import ConflictError, is_unavailable


def sqlite_error(code, kind=sqlite3.OperationalError):
    error = kind("the text never decides")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "NAME"
    return error


SQLITE = [
    (sqlite3.SQLITE_BUSY, "conflict"),
    (sqlite3.SQLITE_BUSY_SNAPSHOT, "conflict"),
    (sqlite3.SQLITE_BUSY_RECOVERY, "conflict"),
    (sqlite3.SQLITE_LOCKED, "conflict"),
    (sqlite3.SQLITE_LOCKED_SHAREDCACHE, "conflict"),
    (sqlite3.SQLITE_FULL, "unavailable"),
    (sqlite3.SQLITE_IOERR, "unavailable"),
    (sqlite3.SQLITE_IOERR_FSYNC, "unavailable"),
    (sqlite3.SQLITE_IOERR_WRITE, "unavailable"),
    (sqlite3.SQLITE_IOERR_SHORT_READ, "unavailable"),
    (sqlite3.SQLITE_READONLY, "unavailable"),
    (sqlite3.SQLITE_READONLY_DBMOVED, "unavailable"),
    (sqlite3.SQLITE_CANTOPEN, "unavailable"),
    (sqlite3.SQLITE_CORRUPT, "unavailable"),
    (sqlite3.SQLITE_CORRUPT_INDEX, "unavailable"),
    (sqlite3.SQLITE_NOTADB, "unavailable"),
    (sqlite3.SQLITE_PERM, "unavailable"),
    (sqlite3.SQLITE_PROTOCOL, "unavailable"),
    (sqlite3.SQLITE_NOMEM, "unavailable"),
    (sqlite3.SQLITE_CONSTRAINT, "defect"),
    (sqlite3.SQLITE_CONSTRAINT_CHECK, "defect"),
    (sqlite3.SQLITE_CONSTRAINT_UNIQUE, "defect"),
    (sqlite3.SQLITE_CONSTRAINT_TRIGGER, "defect"),
    (sqlite3.SQLITE_ERROR, "defect"),
    (sqlite3.SQLITE_MISMATCH, "defect"),
    (sqlite3.SQLITE_MISUSE, "defect"),
    (sqlite3.SQLITE_RANGE, "defect"),
    (sqlite3.SQLITE_TOOBIG, "defect"),
]
POSTGRES = [
    (asyncpg.SerializationError, "conflict"),
    (asyncpg.DeadlockDetectedError, "conflict"),
    (asyncpg.LockNotAvailableError, "conflict"),
    (asyncpg.ConnectionDoesNotExistError, "unavailable"),
    (asyncpg.ConnectionFailureError, "unavailable"),
    (asyncpg.AdminShutdownError, "unavailable"),
    (asyncpg.CrashShutdownError, "unavailable"),
    (asyncpg.CannotConnectNowError, "unavailable"),
    (asyncpg.QueryCanceledError, "unavailable"),
    (asyncpg.DiskFullError, "unavailable"),
    (asyncpg.OutOfMemoryError, "unavailable"),
    (asyncpg.TooManyConnectionsError, "unavailable"),
    (asyncpg.PostgresIOError, "unavailable"),
    (asyncpg.ReadOnlySQLTransactionError, "unavailable"),
    (asyncpg.IdleInTransactionSessionTimeoutError, "unavailable"),
    (asyncpg.InvalidCatalogNameError, "unavailable"),
    (asyncpg.InterfaceError, "unavailable"),
    (asyncpg.InternalClientError, "unavailable"),
    (ConnectionRefusedError, "unavailable"),
    (ConnectionResetError, "unavailable"),
    (OSError, "unavailable"),
    (TimeoutError, "unavailable"),
    (EOFError, "unavailable"),
    (asyncpg.UniqueViolationError, "defect"),
    (asyncpg.CheckViolationError, "defect"),
    (asyncpg.NotNullViolationError, "defect"),
    (asyncpg.UndefinedTableError, "defect"),
    (asyncpg.PostgresSyntaxError, "defect"),
    (asyncpg.NumericValueOutOfRangeError, "defect"),
    (asyncpg.CharacterNotInRepertoireError, "defect"),
    (asyncpg.InFailedSQLTransactionError, "defect"),
    (asyncpg.RaiseError, "defect"),
    (asyncpg.PostgresError, "defect"),
    (ValueError, "defect"),
]


def meaning(mapped, error):
    if mapped is error:
        return "defect"
    if isinstance(mapped, ConflictError):
        return "conflict"
    assert is_unavailable(mapped), mapped
    return "unavailable"


@pytest.mark.parametrize(("code", "expected"), SQLITE)
def test_sqlite_errors(code, expected):
    error = sqlite_error(code)
    assert meaning(failures.from_sqlite(error), error) == expected


def test_errors_of_the_sqlite_module_itself():
    closed = sqlite3.ProgrammingError("Cannot operate on a closed database.")
    assert meaning(failures.from_sqlite(closed), closed) == "unavailable"
    other = sqlite3.InterfaceError("Error binding parameter")
    assert meaning(failures.from_sqlite(other), other) == "defect"


@pytest.mark.parametrize(("kind", "expected"), POSTGRES, ids=lambda value: getattr(value, "__name__", value))
def test_postgres_errors(kind, expected):
    error = kind("the text never decides")
    assert meaning(failures.from_postgres(error), error) == expected


@pytest.mark.parametrize("error", [Failure(Reason.CONFLICT, "busy"), ValueError(), None])
def test_only_an_unreachable_database_is_unavailable(error):
    assert not is_unavailable(error)


def test_no_text_of_a_driver_reaches_a_failure():
    """What callers are told is written here, never by a driver, which quotes values and statements."""
    canary = "SELECT secret"
    sqlite = sqlite_error(sqlite3.SQLITE_FULL)
    sqlite.args = (canary,)
    for mapped in (
        failures.from_sqlite(sqlite),
        failures.from_postgres(asyncpg.DiskFullError(canary)),
        failures.from_postgres(OSError(canary)),
    ):
        assert canary not in mapped.message
        assert not mapped.metadata
