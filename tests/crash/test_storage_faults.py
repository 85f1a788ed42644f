"""The disk fails under a running service: callers are told, health follows, and it heals by itself."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import grpc
import pytest
from billing_client import AsyncBillingClient
from billing_client.errors import StorageUnavailable

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from billing_service.storage.postgres import store as postgres_store
from tests.crash.postgres_server import running_postgres_server
from tests.crash.small_disks import fill, mounted_small_disk
from tests.support.client_journal import CREDIT, grant, verify
from tests.support.databases import Database, connect_to
from tests.support.ledger_check import ledger_problems
from tests.support.no_retries import no_retries
from tests.support.service_process import StartFailedError, health, running_process, service_settings, wait_for_health

HEALTH_FOLLOWS_WITHIN_S = 10.0
"""The promised five, and as much for a machine that is busy with other tests."""
ANSWERED_WITHIN_S = 10.0
GIVEN = 1_000


class Faulty:
    """A service, a client without retries of its own, and what both say while a fault lasts."""

    def __init__(self, service, client, channel):
        self.service = service
        self.client = client
        self.channel = channel
        self.spent = 0

    async def spend(self, key):
        answer = await self.client.deduct_credits(
            account_id="a", amount_microcredits=CREDIT, idempotency_key=key, timeout_s=ANSWERED_WITHIN_S
        )
        self.spent += not answer.replayed

    async def expect_failure(self, key):
        with pytest.raises(StorageUnavailable) as failed:
            await self.spend(key)
        assert (failed.value.status, failed.value.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")

    async def expect_health(self, wanted, *, at_once=False):
        """Waits for the service to notice by itself, or has it look now."""
        if at_once:
            await self.service.server.readiness.check()
        await wait_for_health(self.service.address, wanted, HEALTH_FOLLOWS_WITHIN_S)

    async def check(self):
        await verify(self.channel)
        balance = (await self.client.get_balance(account_id="a")).balance
        assert balance.available_microcredits == (GIVEN - self.spent) * CREDIT


@asynccontextmanager
async def faulty_service(database, **settings):
    with no_retries():
        async with (
            open_service(load_settings(service_settings(database, **settings))) as service,
            grpc.aio.insecure_channel(service.address) as channel,
            AsyncBillingClient(service.address) as client,
        ):
            await grant(channel, "a", GIVEN)
            faulty = Faulty(service, client, channel)
            await faulty.spend("before")
            await faulty.expect_health("SERVING")
            yield faulty
            await faulty.check()


async def run_through(faulty, fault, repair, *, at_once=False):
    """The fault lasts until health has followed; then the same key succeeds."""
    await fault()
    await faulty.expect_failure("during")
    await faulty.expect_health("NOT_SERVING", at_once=at_once)
    await faulty.expect_failure("during")
    await repair()
    await faulty.expect_health("SERVING", at_once=at_once)
    await faulty.spend("during")
    await faulty.spend("during")
    assert faulty.spent == 2


def in_thread(function, *args):
    return partial(asyncio.to_thread, function, *args)


@pytest.fixture
def small_disk(tmp_path):
    with mounted_small_disk(tmp_path / "disk") as path:
        yield path


async def test_a_full_disk_is_told_shown_and_survived(sqlite_template, small_disk):
    path, filler = small_disk / "ledger.db", small_disk / "filler"
    shutil.copyfile(sqlite_template, path)
    async with faulty_service(Database("sqlite", f"sqlite:///{path}")) as faulty:
        await run_through(faulty, in_thread(fill, filler), in_thread(filler.unlink), at_once=True)


async def test_a_database_that_may_not_grow_is_told_and_heals(sqlite_template, tmp_path):
    path = tmp_path / "ledger.db"
    shutil.copyfile(sqlite_template, path)
    async with faulty_service(Database("sqlite", f"sqlite:///{path}")) as faulty:
        writer = faulty.service.environment.store._writer
        ((pages,),) = await writer.execute_fetchall("PRAGMA page_count")
        await writer.execute_fetchall(f"PRAGMA max_page_count={pages}")
        full = await spend_until_it_fails(faulty)
        await writer.execute_fetchall("PRAGMA max_page_count=1000000")
        await faulty.spend(full)


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_connection_that_turns_read_only(database):
    async with faulty_service(database) as faulty:
        writer = faulty.service.environment.store._writer
        await run_through(
            faulty,
            lambda: writer.execute_fetchall("PRAGMA query_only=ON"),
            lambda: writer.execute_fetchall("PRAGMA query_only=OFF"),
            at_once=True,
        )


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_directory_that_is_gone(database, tmp_path):
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    async with faulty_service(database) as faulty:
        await run_through(faulty, in_thread(tmp_path.rename, moved), in_thread(moved.rename, tmp_path))


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_another_file_in_the_place_of_the_database(database, sqlite_template):
    moved = database.path.with_name("moved.db")

    def replace():
        database.path.rename(moved)
        shutil.copyfile(sqlite_template, database.path)

    async with faulty_service(database) as faulty:
        await run_through(faulty, in_thread(replace), in_thread(moved.replace, database.path), at_once=True)


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_a_database_that_turns_read_only(database):
    async def turn(value):
        connection = await connect_to(database.url, default_transaction_read_only="off")
        try:
            name = await connection.fetchval("SELECT current_database()")
            await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
                name,
            )
        finally:
            await connection.close()

    async with faulty_service(database) as faulty:
        await run_through(faulty, lambda: turn("on"), lambda: turn("off"))


async def test_a_full_disk_of_postgresql_is_told_shown_and_survived():
    """Its tables are on the small disk, its log on another: were that full, the server would be down."""
    async with running_postgres_server() as postgres:
        directory = Path(urlsplit(postgres.url).query.removeprefix("host="))
        with mounted_small_disk(directory.with_name("small"), "40m") as disk:
            shutil.chown(disk, *directory_owner(directory))
            database = Database("postgresql", await on_small_disk(postgres.url, disk))
            async with faulty_service(database) as faulty:
                await asyncio.to_thread(fill, disk / "filler")
                full = await spend_until_it_fails(faulty)
                await faulty.expect_health("NOT_SERVING", at_once=True)
                await faulty.expect_failure(full)
                await asyncio.to_thread((disk / "filler").unlink)
                await faulty.expect_health("SERVING", at_once=True)
                spent = faulty.spent
                await faulty.spend(full)
                await faulty.spend(full)
                assert faulty.spent == spent + 1
            assert ledger_problems(database) == []
            await drop(postgres.url, "small", "small")


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_a_probe_that_may_make_no_table_leaves_it_to_the_next_write(store, monkeypatch):
    store._disk_was_full = True
    monkeypatch.setattr(postgres_store, "_ALLOCATE", "DO $$ BEGIN RAISE insufficient_privilege; END $$")
    await store.probe()
    assert not store._disk_was_full
    async with store._pool.acquire() as connection:
        assert (
            await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
            == 0
        )


def directory_owner(directory):
    """As whom the server runs."""
    found = directory.stat()
    return found.st_uid, found.st_gid


async def on_small_disk(admin_url, disk):
    """A copy of the migrated database whose tables are there; its URL."""
    parts = urlsplit(admin_url)
    connection = await connect_to(urlunsplit(parts._replace(path="/template1")))
    try:
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        await connection.execute(f"CREATE DATABASE small TEMPLATE {parts.path[1:]} TABLESPACE small")
    finally:
        await connection.close()
    return urlunsplit(parts._replace(path="/small"))


async def drop(admin_url, database, tablespace):
    connection = await connect_to(admin_url)
    try:
        await connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
        await connection.execute(f"DROP TABLESPACE {tablespace}")
    finally:
        await connection.close()


async def spend_until_it_fails(faulty):
    """The key of the deduction that needed a page more than there was."""
    for number in range(900):
        try:
            await faulty.spend(f"fill-{number}")
        except StorageUnavailable:
            return f"fill-{number}"
    raise AssertionError("the database went on growing")


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_second_process_on_the_same_file_does_not_start(settings, forker, tmp_path):
    async with running_process(forker, settings, tmp_path / "first.log") as first:
        with pytest.raises(StartFailedError, match="in use by another process"):
            async with running_process(forker, {**settings, "BILLING_LISTEN": "127.0.0.1:0"}, tmp_path / "second.log"):
                pass
        async with grpc.aio.insecure_channel(first.address) as channel:
            assert await health(channel) == "SERVING"
            await grant(channel, "a", GIVEN)
            await verify(channel)
