"""One process migrates, the others wait, say for whom, and give up; a start on the newest schema waits for nobody."""

import asyncio

import pytest

from billing_service.storage import alembic_upgrade
from billing_service.storage import migrate as migrations
from billing_service.storage.database_url import parse_database_url
from billing_service.storage.migrate import MigrationBusyError, check_schema, migrate
from tests.support.databases import connect_to

LOCK = f"SELECT pg_advisory_lock({migrations._LOCK_NUMBER})"


@pytest.fixture(params=["postgresql"])
def store_name(request):
    return request.param


@pytest.fixture
def unmigrated(postgres, database):
    """The URL of a second database, which nobody has migrated."""
    del database  # skips where there is no PostgreSQL
    url = postgres.empty()
    yield url
    postgres.drop(url)


async def test_on_the_newest_schema_nobody_waits(database, monkeypatch):
    monkeypatch.setattr(migrations, "LOCK_WAIT_S", 0.0)
    holder = await connect_to(database.url)
    try:
        await holder.execute(LOCK)
        reported = []
        await migrate(database.target, report=reported.append)
        await check_schema(database.target)
        assert reported == []
    finally:
        await holder.close()


async def test_who_waits_names_the_holder_and_goes_on_when_it_lets_go(unmigrated):
    holder = await connect_to(unmigrated)
    process = holder.get_server_pid()
    reported = asyncio.Queue()
    try:
        await holder.execute(LOCK)
        waiting = asyncio.create_task(migrate(parse_database_url(unmigrated), report=reported.put_nowait))
        line = await reported.get()
        assert f"another process migrates this database: connection {process} (tests), there since 20" in line
        assert line.endswith(" UTC, holds the lock; waiting 30 s for it at most")
        assert not waiting.done()
    finally:
        await holder.close()
    await waiting
    assert reported.empty()
    await check_schema(parse_database_url(unmigrated))


async def test_who_waits_too_long_gives_up(unmigrated, monkeypatch):
    monkeypatch.setattr(migrations, "LOCK_WAIT_S", 0.3)
    holder = await connect_to(unmigrated)
    try:
        await holder.execute(LOCK)
        with pytest.raises(MigrationBusyError) as caught:
            await migrate(parse_database_url(unmigrated), report=lambda _: None)
    finally:
        await holder.close()
    assert f"connection {holder.get_server_pid()} (tests), there since " in str(caught.value)
    assert "for longer than 0.3 s; end it, or repeat this when it is done" in str(caught.value)
    await migrate(parse_database_url(unmigrated))


async def test_a_lock_of_another_database_or_number_is_nobodys(database, unmigrated, monkeypatch):
    monkeypatch.setattr(migrations, "LOCK_WAIT_S", 0.0)
    elsewhere, here = await connect_to(database.url), await connect_to(unmigrated)
    try:
        await elsewhere.execute(LOCK)
        await here.execute(f"SELECT pg_advisory_lock({migrations._LOCK_NUMBER + 1})")
        await migrate(parse_database_url(unmigrated))
    finally:
        await elsewhere.close()
        await here.close()


async def test_the_lock_is_given_back_also_when_a_migration_fails(unmigrated, monkeypatch):
    def failing(*_):
        raise RuntimeError("asked to fail")

    monkeypatch.setattr(alembic_upgrade.command, "upgrade", failing)
    with pytest.raises(RuntimeError, match="asked to fail"):
        await migrate(parse_database_url(unmigrated))
    connection = await connect_to(unmigrated)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    finally:
        await connection.close()


async def test_a_holder_of_another_role_is_named_without_its_time(own_postgres, monkeypatch):
    """Its start is shown to its own role alone."""
    monkeypatch.setattr(migrations, "LOCK_WAIT_S", 0.0)
    own_postgres.do(
        "CREATE ROLE migrating LOGIN PASSWORD 'canary4242'", "CREATE DATABASE locked OWNER migrating", "SELECT 1"
    )
    holder = await connect_to(own_postgres.url(database="locked"))
    try:
        await holder.execute(LOCK)
        with pytest.raises(
            MigrationBusyError,
            match=r"\(tests\), there since a time that only its own role may see, "
            r"holds the lock",
        ):
            await migrate(parse_database_url(own_postgres.url("migrating", database="locked")))
    finally:
        await holder.close()
        own_postgres.do("DROP DATABASE locked WITH (FORCE)", "DROP ROLE migrating", "SELECT 1")
