"""What commands do with the database itself, without the service."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from billing_service.cli.connection import quiet_logs
from billing_service.cli.failures import explained

if TYPE_CHECKING:
    from billing_service.settings import Settings
    from billing_service.storage.store import Store

T = TypeVar("T")


def with_store(action: Callable[["Store"], Coroutine[Any, Any, T]], when_in_use: str = "; stop the service first") -> T:
    """Does something with the database, which no service may have open if it is a SQLite file; `when_in_use` says so then."""
    from billing_service.bootstrap import open_store
    from billing_service.settings import load_settings

    async def run(settings: "Settings") -> T:
        store = await open_store(settings)
        try:
            return await action(store)
        finally:
            await store.close()

    quiet_logs()
    with explained(when_in_use):
        return asyncio.run(run(load_settings(purpose="operate").model_copy(update={"migrate_on_start": False})))
