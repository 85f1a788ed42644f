"""Migrations: once, whole, whoever comes first, and equal to what the code believes."""

import asyncio
import re
import subprocess
import sys
import threading
from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, CheckConstraint, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from billing_service.storage.database_url import SqliteFile, parse_database_url
from billing_service.storage.migrate import SchemaOutdatedError, check_schema, known_revisions, migrate
from billing_service.storage.postgres.connect import CannotConnectError, connect
from billing_service.storage.schema import APPEND_ONLY, metadata
from tests.storage.raw_units import outside, read_unit
from tests.support.databases import Database, PostgresUnavailableError, run_apart
from tests.support.tampering import tamper

MIGRATE = "import sys; from billing_service.storage.migrate import migrate_now; migrate_now(sys.argv[1])"
DYING = (
    """
import os, signal
from sqlalchemy import Connection
run, seen = Connection.exec_driver_sql, []
def dying(self, statement, *args, **kwargs):
    seen.append(statement)
    if len(seen) == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    return run(self, statement, *args, **kwargs)
Connection.exec_driver_sql = dying
"""
    + MIGRATE
)


@pytest.fixture
def empty(request, store_name, tmp_path):
    """The URL of a database that nobody has migrated."""
    if store_name == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
        return
    server = request.getfixturevalue("postgres")
    if isinstance(server, PostgresUnavailableError):
        pytest.skip(f"PostgreSQL is not tested: {server}")
    url = server.empty()
    yield url
    server.drop(url)


def in_process(code, url):
    return subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def engine_of(database):
    if isinstance(database, SqliteFile):
        return create_async_engine(URL.create("sqlite+aiosqlite", database=str(database.path)), poolclass=NullPool)
    return create_async_engine("postgresql+asyncpg://", async_creator=partial(connect, database), poolclass=NullPool)


def on_connection(url, function):
    async def run():
        engine = engine_of(parse_database_url(url))
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(function)
        finally:
            await engine.dispose()

    return run_apart(run())


def tables(url):
    return set(on_connection(url, lambda connection: inspect(connection).get_table_names()))


def test_an_unmigrated_database_is_refused(empty):
    with pytest.raises(SchemaOutdatedError, match="billing migrate"):
        run_apart(check_schema(parse_database_url(empty)))


def test_a_newer_database_is_refused(database):
    outside(database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdatedError, match="9999"):
        run_apart(check_schema(database.target))


def test_migrating_twice_changes_nothing(database):
    outside(database, "INSERT INTO referral_codes (referral_code, account_id) VALUES ('code', 'acme')")
    run_apart(migrate(database.target))
    run_apart(check_schema(database.target))
    assert outside(database, "SELECT count(*) FROM referral_codes") == [(1,)]


def test_processes_that_migrate_at_once(empty):
    processes = [in_process(MIGRATE, empty) for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    run_apart(check_schema(parse_database_url(empty)))
    assert (
        on_connection(
            empty, lambda connection: connection.execute(text("SELECT count(*) FROM alembic_version")).scalar()
        )
        == 1
    )


def test_a_killed_migration_leaves_nothing_half(empty):
    process = in_process(DYING, empty)
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert tables(empty) <= {"alembic_version"}
    run_apart(migrate(parse_database_url(empty)))
    run_apart(check_schema(parse_database_url(empty)))
    assert tables(empty) == {*metadata.tables, "alembic_version"}


def test_the_schema_is_what_the_code_believes(database):
    def differences(connection):
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, metadata)

    assert on_connection(database.url, differences) == []


def test_every_check_is_in_the_database(database):
    """Alembic does not compare CHECKs."""
    dialect = sqlite.dialect()

    def normal(rule):
        return re.sub(r"[\s()\"']|::\w+|ANY|ARRAY|\[|\]|BETWEEN|AND|>=|<=|=|IN", "", rule).lower()

    believed = {
        check.name: str(check.sqltext.compile(dialect=dialect))
        for table in metadata.tables.values()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }

    def stored(connection):
        found = inspect(connection)
        return {
            check["name"]: check["sqltext"] for table in metadata.tables for check in found.get_check_constraints(table)
        }

    assert set(on_connection(database.url, stored)) == set(believed)
    if database.store == "sqlite":  # PostgreSQL writes rules its own way
        assert {name: normal(rule) for name, rule in on_connection(database.url, stored).items()} == {
            name: normal(rule) for name, rule in believed.items()
        }


def test_append_only_tables_have_their_triggers(database):
    if database.store == "sqlite":
        rows = outside(database, "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        assert {tuple(row) for row in rows} == {
            (f"{table}_no_{verb}", table) for table in APPEND_ONLY for verb in ("update", "delete")
        }
    else:
        rows = outside(database, "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
        assert {tuple(row) for row in rows} == {(f"{table}_append_only", table) for table in APPEND_ONLY}


@pytest.mark.parametrize("name", ["a b.db", "50%41.db", "#1.db"])
def test_an_odd_path_is_migrated_and_opened_as_one_file(tmp_path, name):
    url = f"sqlite:///{tmp_path / name}"

    async def migrate_and_open():
        database = Database("sqlite", url)
        await migrate(database.target)
        await check_schema(database.target)
        store = await database.open()
        assert await store.read(read_unit("SELECT count(*) FROM accounts")) == [(0,)]
        await store.close()

    run_apart(migrate_and_open())
    assert [found.name for found in tmp_path.iterdir() if found.suffix == ".db"] == [name]


def test_a_file_that_cannot_be_opened_leaves_no_thread(tmp_path):
    """One that outlived the loop would end with a traceback on standard error."""
    before = set(threading.enumerate())

    async def look():
        with pytest.raises(CannotConnectError, match="unable to open database file"):
            await check_schema(SqliteFile(tmp_path))

    asyncio.run(look())
    assert set(threading.enumerate()) == before


def test_the_revisions_that_are_known_are_those_of_alembic():
    config = Config()
    config.set_main_option("script_location", "billing_service.storage:migrations")
    script = ScriptDirectory.from_config(config)
    assert known_revisions() == tuple(sorted(each.revision for each in script.walk_revisions()))
    assert known_revisions()[-1] == script.get_current_head()


async def test_rows_that_no_migration_wrote_are_refused(database):
    tamper(database, "INSERT INTO alembic_version VALUES ('0001')")
    with pytest.raises(SchemaOutdatedError, match="which this program does not know"):
        await check_schema(database.target)
