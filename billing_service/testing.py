"""The real service inside this process, for the tests of those who call it.

    with running_billing_service() as service, service.client() as client:
        client.grant_credits(account_id="user-1", amount_microcredits=5 * MICROCREDITS_PER_CREDIT, reason="test")

It listens on a loopback port that the system chooses and asks for no API key. Without settings of your own nobody
listens where it looks for Stripe, so that purchases end in `StripeUnavailable`; name a sandbox by STRIPE_API_BASE to
buy.
"""

import asyncio
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import structlog
from billing_client.asynchronous.client import AsyncBillingClient
from billing_client.blocking.client import BillingClient

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a private directory inside it, not a predictable file
START_TIMEOUT_S = 30.0
NO_STRIPE = "http://127.0.0.1:9"
"""The discard port of this machine: refused at once."""


@dataclass(frozen=True, slots=True)
class RunningService:
    address: str
    """host:port, for clients of any kind."""
    webhook_secret: str
    """Signs Stripe's events for it."""

    def client(self) -> BillingClient:
        """A blocking client of it; close it, or use it in a `with`."""
        return BillingClient(self.address)

    def async_client(self) -> AsyncBillingClient:
        """A client of it for asyncio; close it, or use it in an `async with`."""
        return AsyncBillingClient(self.address)


@asynccontextmanager
async def running_billing_service_async(
    database: Path | Literal["memory"] = "memory", settings: Mapping[str, str] | None = None
) -> AsyncIterator[RunningService]:
    """Run the service in this event loop until the block ends.

    `database` is the path of an SQLite file, made where there is none, or "memory": a new file that is gone afterwards.
    Where the system has a file system in memory, that file never touches a disk. `settings` are the service's settings
    by the names that they have in the environment. The environment itself is not read. Raises SettingsInvalid, and
    whatever keeps the service from starting.
    """
    if not structlog.is_configured():  # its own default is standard output, which is the caller's
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with _database_file(database) as file:
        chosen = {
            "DATABASE_URL": f"sqlite:///{file}",
            "BILLING_MIGRATE_ON_START": "true",
            "BILLING_LISTEN": "127.0.0.1:0",
            "BILLING_AUTH": "off",
            "STRIPE_SECRET_KEY": "sk_" + "test_" + "nowhere",
            "STRIPE_WEBHOOK_SECRET": "whsec_" + secrets.token_hex(16),
            "STRIPE_API_BASE": NO_STRIPE,
            **(settings or {}),
        }
        async with open_service(load_settings(chosen)) as service:
            yield RunningService(service.address, chosen["STRIPE_WEBHOOK_SECRET"].partition(",")[0])


@contextmanager
def running_billing_service(
    database: Path | Literal["memory"] = "memory", settings: Mapping[str, str] | None = None
) -> Iterator[RunningService]:
    """The same for tests without an event loop: the service gets a thread and a loop of its own."""
    started: Future[tuple[RunningService, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stopped = asyncio.Event()
        async with running_billing_service_async(database, settings) as service:
            started.set_result((service, asyncio.get_running_loop(), stopped))
            await stopped.wait()

    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as failure:  # noqa: BLE001 - whatever it is, it belongs to the thread that asked for the service
            failures.append(failure)
            if not started.done():
                started.set_exception(failure)

    thread = threading.Thread(target=run, name="billing-service", daemon=True)
    thread.start()
    service, loop, stopped = started.result(START_TIMEOUT_S)
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def _database_file(database: Path | Literal["memory"]) -> Iterator[Path]:
    if database != "memory":
        yield Path(database).resolve()
        return
    with TemporaryDirectory(prefix="billing-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as directory:
        yield Path(directory) / "billing.db"
