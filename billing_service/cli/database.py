"""What commands do with the database itself, without the service."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from billing_service.cli.connection import quiet_logs
from billing_service.cli.failures import explained

if TYPE_CHECKING:
    from billing_service.settings import Settings
    from billing_service.storage.store import Store

T = TypeVar("T")
STOP_FIRST = "; stop the service first"


def offline_settings() -> "Settings":
    """Settings of a command that needs only the database. Standard output is the command's; a weak DATABASE_URL is said
    on standard error. Raises SettingsInvalid."""
    from billing_service.settings import load_settings
    from billing_service.storage.database_url import PostgresServer

    quiet_logs()
    settings = load_settings(purpose="operate")
    if isinstance(settings.database, PostgresServer) and settings.database.weakness:
        typer.echo(f"DATABASE_URL: {settings.database.weakness}", err=True)
    return settings


def with_store(
    action: Callable[["Store"], Coroutine[Any, Any, T]], when_in_use: str = STOP_FIRST, *, writes: bool = True
) -> T:
    """Does something with the database, which no service may have open if it is a SQLite file; `when_in_use` says so
    then. Without `writes`, a role of PostgreSQL that may only read will do."""
    confirm_free(when_in_use)
    from billing_service.bootstrap import open_store

    async def run(settings: "Settings") -> T:
        store = await open_store(settings, writes=writes)
        try:
            return await action(store)
        finally:
            await store.close()

    with explained(when_in_use):
        return asyncio.run(run(offline_settings().model_copy(update={"migrate_on_start": False})))


def confirm_free(when_in_use: str) -> None:
    """Ends the command when a service has the file: at once, before all is loaded that a database needs."""
    from billing_service.settings import load_settings
    from billing_service.storage.database_url import SqliteFile
    from billing_service.storage.sqlite.file_lock import FileLock

    with explained(when_in_use):
        database = load_settings(purpose="operate").database
        if isinstance(database, SqliteFile) and database.path.exists():
            FileLock(database.path).release()
