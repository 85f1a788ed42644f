"""Why something did not start, or could not use the database, in one line without a secret."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from billing_service.cli.display import EXIT_FAILED, EXIT_MISCONFIGURED, fail

_BIND_FAILED = "Failed to bind"


class CannotListenError(Exception):
    """An address can't be had. The message names it and the setting that chooses another."""

    def __init__(self, who: str, address: str, setting: str) -> None:
        super().__init__(
            f"{who} can't listen on {address}: the port is in use, or the address is not this machine's; choose "
            f"another by {setting}"
        )


class AlreadyRunningError(Exception):
    """Another `billing dev` of this directory runs. The message says how to use it, or what to set for one of its
    own."""

    def __init__(self, database: str) -> None:
        super().__init__(
            f"already running here: another process has {database}. `billing health` asks it, Ctrl-C in its terminal "
            f"stops it; a second one "
            "takes DATABASE_URL=sqlite:///var/second.db, BILLING_LISTEN, GATEWAY_PORT and SANDBOX_PORT of its own"
        )


@contextmanager
def explained(hint_when_in_use: str = "") -> Iterator[None]:
    """Ends the command with a line instead of a traceback: 2 for settings, 1 for what the machine does not give.

    The hint says what to do when another process has the database's file.
    """
    try:
        yield
    except typer.Exit:
        raise
    except Exception as failure:  # what has no line here goes on as it is
        if _is_in_use(failure):
            fail(f"{failure}{hint_when_in_use}", code=EXIT_FAILED)
        problems = settings_problems(failure)
        if problems:
            fail(*problems, code=EXIT_MISCONFIGURED)
        line = failure_line(failure)
        if line is None:
            raise
        fail(line, code=EXIT_FAILED)


def settings_problems(failure: Exception) -> list[str]:
    """A line for each setting that does not fit, when that is what failed."""
    from billing_service.commands.access.deployment import OtherModeError
    from billing_service.domain.catalogue.package_entries import CatalogInvalid
    from billing_service.settings import SettingsInvalid

    if isinstance(failure, SettingsInvalid):
        return failure.problems
    if isinstance(failure, CatalogInvalid):
        return [f"BILLING_CATALOG_FILE: {problem}" for problem in failure.problems]
    return [str(failure)] if isinstance(failure, OtherModeError) else []


def failure_line(failure: Exception) -> str | None:
    """None for what is a defect, and deserves its traceback."""
    if isinstance(failure, CannotListenError | AlreadyRunningError):
        return str(failure)
    if isinstance(failure, RuntimeError) and str(failure).startswith(_BIND_FAILED):
        address = str(failure).split(";")[0].rpartition(" ")[2]
        return str(CannotListenError("the service", address, "BILLING_LISTEN"))
    return _database_line(failure) or _system_line(failure)


def _is_in_use(failure: Exception) -> bool:
    from billing_service.storage.sqlite.file_lock import DatabaseInUseError

    return isinstance(failure, DatabaseInUseError)


def _database_line(failure: Exception) -> str | None:
    from billing_service.commands.access.deployment import NoDeploymentError
    from billing_service.domain.refusals import Refused
    from billing_service.storage.migrate import MigrationBusyError, SchemaOutdatedError
    from billing_service.storage.postgres.connect import CannotConnectError
    from billing_service.storage.sqlite.versions import SqliteUnsuitableError

    known = (
        Refused,
        NoDeploymentError,
        CannotConnectError,
        SchemaOutdatedError,
        MigrationBusyError,
        SqliteUnsuitableError,
    )
    if isinstance(failure, known):
        return str(failure)
    # Known by where they come from: only storage imports drivers. SQLAlchemy's own text carries the statement; its
    # cause, a driver's, says why.
    driver_error = getattr(failure, "orig", failure if _package(failure) == "asyncpg" else None)
    if driver_error is not None and _package(failure) in ("asyncpg", "sqlalchemy"):
        return f"the database can't be used: {_first_line(driver_error)}"
    if isinstance(failure, ConnectionError | TimeoutError):
        return "the database can't be reached: it stopped answering"
    return None


def _system_line(failure: Exception) -> str | None:
    if isinstance(failure, ssl.SSLError):
        return f"the TLS files can't be used: {failure.reason or 'no certificate in PEM with its private key'}"
    if not isinstance(failure, OSError):
        return None
    where = f"{failure.filename}: " if failure.filename else ""
    return where + (failure.strerror or str(failure))


def _package(failure: Exception) -> str:
    return type(failure).__module__.partition(".")[0]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
