"""Why something did not start, or could not use the database, in one line without a secret."""

import errno
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError

from billing_service.cli.display import EXIT_FAILED, EXIT_MISCONFIGURED, fail
from billing_service.domain.catalog_entries import CatalogInvalid
from billing_service.domain.refusals import Refused
from billing_service.settings import SettingsInvalid
from billing_service.storage.migrate import SchemaOutdatedError
from billing_service.storage.sqlite import DatabaseInUseError
from billing_service.storage.sqlite_versions import SqliteUnsuitableError

_STATED = (SchemaOutdatedError, DatabaseInUseError, SqliteUnsuitableError, FileNotFoundError)
_BIND_FAILED = "Failed to bind"


class CannotListenError(Exception):
    """An address can't be had. The message names it and the setting that chooses another."""


@contextmanager
def explained() -> Iterator[None]:
    """Ends the command with a line instead of a traceback: 2 for settings, 1 for what the machine does not give."""
    try:
        yield
    except SettingsInvalid as invalid:
        fail(*invalid.problems, code=EXIT_MISCONFIGURED)
    except CatalogInvalid as invalid:
        fail(*(f"BILLING_CATALOG_FILE: {problem}" for problem in invalid.problems), code=EXIT_MISCONFIGURED)
    except (CannotListenError, Refused, DBAPIError, asyncpg.PostgresError, OSError, RuntimeError, *_STATED) as failure:
        line = failure_line(failure)
        if line is None:
            raise
        fail(line, code=EXIT_FAILED)


def failure_line(failure: BaseException) -> str | None:
    """None for what is a defect, and deserves its traceback."""
    if isinstance(failure, (CannotListenError, Refused, SchemaOutdatedError, DatabaseInUseError, SqliteUnsuitableError)):
        return str(failure)
    if isinstance(failure, DBAPIError):
        # SQLAlchemy's own text carries the statement; the driver's alone says what happened.
        return f"the database can't be used: {_first_line(failure.orig or failure)}"
    if isinstance(failure, asyncpg.PostgresError):
        return f"the database can't be used: {_first_line(failure)}"
    if isinstance(failure, ssl.SSLError):
        return f"the TLS files can't be used: {failure.reason}"
    if isinstance(failure, ConnectionError | TimeoutError):
        return "the database can't be reached: nobody answers at the address in DATABASE_URL"
    if isinstance(failure, OSError):
        if failure.errno == errno.EADDRINUSE:
            return "an address is in use already"
        where = f"{failure.filename}: " if failure.filename else ""
        return where + (failure.strerror or str(failure))
    if isinstance(failure, RuntimeError) and str(failure).startswith(_BIND_FAILED):
        return cannot_listen("the service", str(failure).split(";")[0].rpartition(" ")[2], "BILLING_LISTEN")
    return None


def cannot_listen(who: str, address: str, setting: str) -> str:
    return f"{who} can't listen on {address}: the port is in use, or the address is not this machine's; choose another by {setting}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
