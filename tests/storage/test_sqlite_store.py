"""What is SQLite's own: one process for each file, settings that durability rests on, versions."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
import structlog

from billing_service.domain.refusals import Failure, Reason
from billing_service.storage.migrate import migrate
from billing_service.storage.sqlite import connections as sqlite_store
from billing_service.storage.sqlite import store as store_module
from billing_service.storage.sqlite.connections import open_sqlite
from billing_service.storage.sqlite.file_lock import DatabaseInUseError
from billing_service.storage.sqlite.versions import SqliteUnsuitableError, affected, check, say_guard
from tests.storage.raw_units import outside, read_unit, write_unit
from tests.support.databases import run_apart

HOLDER = """
import asyncio, pathlib, sys
from billing_service.storage.sqlite.connections import open_sqlite
async def hold():
    store = await open_sqlite(pathlib.Path(sys.argv[1]))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.close()
asyncio.run(hold())
"""
CODE = "INSERT INTO referral_codes (referral_code, account_id) VALUES ('{}', 'acme')"
CODES = "SELECT count(*) FROM referral_codes"


@pytest.fixture(params=["sqlite"])
def store_name(request):
    return request.param


async def open_and_close(database):
    store = await database.open()
    await store.close()


async def pragma(connection, name):
    return next(iter(await connection.execute_fetchall(f"PRAGMA {name}")))[0]


async def test_a_second_opening_is_refused(store, database):
    with pytest.raises(DatabaseInUseError):
        await open_sqlite(database.path)
    assert await store.read(read_unit(CODES)) == [(0,)]


def test_a_second_process_is_refused_until_the_first_is_dead(database):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, database.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        while "open" not in (line := holder.stdout.readline()):
            assert line, "the holder ended"
        with pytest.raises(DatabaseInUseError, match="in use by another process"):
            run_apart(open_and_close(database))
        holder.kill()
        holder.wait()
    run_apart(open_and_close(database))


async def test_closing_again_touches_nobody_elses_file(store, database):
    await store.close()
    again = await open_sqlite(database.path)
    try:
        await store.close()
        with pytest.raises(DatabaseInUseError):
            await open_sqlite(database.path)
    finally:
        await again.close()


async def test_durability_is_read_back(store):
    assert await pragma(store._writer, "journal_mode") == "wal"
    assert await pragma(store._writer, "synchronous") == 2
    for connection in (store._writer, *store._all_readers):
        assert await pragma(connection, "foreign_keys") == 1
        assert await pragma(connection, "trusted_schema") == 0


async def test_only_the_writer_writes_and_checkpoints(store):
    assert await pragma(store._writer, "wal_autocheckpoint") * 4_096 == pytest.approx(
        sqlite_store.WAL_BYTES_KEPT, rel=0.1
    )
    assert len(store._all_readers) == sqlite_store.READERS
    for reader in store._all_readers:
        assert await pragma(reader, "query_only") == 1
        assert await pragma(reader, "wal_autocheckpoint") == 0
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await reader.execute_fetchall(CODE.format("x"))
        await reader.execute_fetchall("PRAGMA query_only=OFF")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await reader.execute_fetchall(CODE.format("x"))


UNSAFE = [
    "PRAGMA synchronous=NORMAL",
    "PRAGMA synchronous=OFF",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA journal_mode=MEMORY",
]


@pytest.mark.parametrize("setting", UNSAFE)
async def test_unsafe_settings_are_refused(database, monkeypatch, setting):
    monkeypatch.setattr(sqlite_store, "_WRITER_PRAGMAS", (*sqlite_store._WRITER_PRAGMAS, setting))
    with pytest.raises(Failure, match="not safe to use"):
        await database.open()


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 500], ids=["missing", "empty", "text"])
async def test_what_is_no_database_is_a_failure_again_and_again(tmp_path, content):
    path = tmp_path / "other.db"
    if content is not None:
        path.write_bytes(content)
    if content == b"":  # an empty file is an empty database, which `check_schema` refuses
        await (await open_sqlite(path)).close()
        return
    for _ in range(2):
        with pytest.raises(Failure) as caught:
            await open_sqlite(path)
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


@pytest.mark.unchecked_ledger
async def test_a_damaged_file_is_refused(database):
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        for number in range(500):
            connection.execute(CODE.format(f"code {number}"))
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'referral_codes'").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(Failure):
        await database.open()


@pytest.mark.parametrize("name", ["a b.db", "50%41.db", "what?mode=memory.db", "#1.db", "ünï.db"])
async def test_odd_paths_are_opened_as_they_are(tmp_path, name, sqlite_template):
    path = tmp_path / name
    path.write_bytes(sqlite_template.read_bytes())
    store = await open_sqlite(path)
    try:
        await store.write(write_unit(CODE.format("x")))
    finally:
        await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(CODES).fetchone() == (1,)


async def test_another_programs_lock_is_a_conflict_and_heals(store, database, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT_S", 0.001)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Failure) as caught:
            await store.write(write_unit(CODE.format("x")))
        assert await store.read(read_unit(CODES)) == [(0,)]
    assert caught.value.reason is Reason.CONFLICT
    await store.write(write_unit(CODE.format("x")))


async def test_a_full_disk_is_a_failure_that_leaves_nothing_and_heals(store, database):
    pages = await pragma(store._writer, "page_count")
    await store._writer.execute_fetchall(f"PRAGMA max_page_count={pages + 1}")
    many = [CODE.format(f"{'x' * 500} {number}") for number in range(50)]
    with pytest.raises(Failure) as caught:
        await store.write(write_unit(*many))
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert outside(database, CODES) == [(0,)]
    await store._writer.execute_fetchall(f"PRAGMA max_page_count={pages + 1_000}")
    await store.write(write_unit(*many))
    assert outside(database, CODES) == [(50,)]


async def test_migrating_beside_a_running_store_waits_for_nobody(store, database):
    """The migration lock is another one than the store's: what is up to date needs no stop."""
    await migrate(database.target)
    assert await store.read(read_unit(CODES)) == [(0,)]


TOO_OLD = [(3, 7, 0), (3, 31, 1), (3, 37, 2)]
WITHDRAWN = [(3, 52, 0)]
AFFECTED = [(3, 38, 0), (3, 40, 1), (3, 44, 5), (3, 46, 1), (3, 50, 4), (3, 50, 6), (3, 51, 2)]
FIXED = [(3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 52, 1), (3, 53, 0), (4, 0, 0)]


@pytest.mark.parametrize("version", TOO_OLD + WITHDRAWN)
def test_versions_that_must_not_hold_money(version):
    with pytest.raises(SqliteUnsuitableError, match=".".join(map(str, version))):
        check(version)


@pytest.mark.parametrize("version", AFFECTED + FIXED)
def test_versions_that_want_a_guard(version):
    """No alarm: what they want is what the store does in any case."""
    check(version)
    assert affected(version) is (version in AFFECTED)
    with structlog.testing.capture_logs() as lines:
        say_guard(version)
    assert [(line["event"], line["log_level"]) for line in lines] == [("sqlite_guarded", "info")] * (
        version in AFFECTED
    )


async def test_a_store_that_is_opened_says_nothing_of_its_version(database):
    """Only a service that has begun does, once: whatever else opens a file may still fail."""
    with structlog.testing.capture_logs() as lines:
        await (await database.open()).close()
    assert lines == []
