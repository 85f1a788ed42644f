"""A backup goes back to where a database is to be, whole and proven; or nothing is there that was not before."""

import os
import sqlite3
from contextlib import closing

import pytest

from billing_service.integrity import restore as restoring
from billing_service.integrity.backup import back_up
from billing_service.integrity.manifest import BackupInvalidError
from billing_service.integrity.restore import restore_backup
from billing_service.storage.sqlite.file_lock import DatabaseInUseError
from tests.support.databases import Database
from tests.support.ledger_check import ledger_problems
from tests.support.ledger_setup import give, open_account

pytestmark = pytest.mark.parametrize("store_name", ["sqlite"], indirect=True)
CREDIT = 1_000_000


@pytest.fixture
async def backup(store, database, tmp_path, clock, ids):
    """Of one account. The service's database stays open, and has moved on."""
    await open_account(store, "ada", clock=clock, ids=ids, microcredits=100 * CREDIT)
    file = tmp_path / "copy.db"
    back_up(database.path, file)
    await give(store, "ada", CREDIT, clock=clock, ids=ids)
    return file


@pytest.fixture
def place(tmp_path):
    return tmp_path / "elsewhere" / "ledger.db"


def balance(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT balance FROM accounts WHERE account_id = 'ada'").fetchone()[0]


def left_at(place):
    return {path.name for path in place.parent.iterdir()} - {"ledger.db.lock"}


async def test_what_was_backed_up_is_there_and_can_be_used(backup, place, clock, ids):
    manifest, report = await restore_backup(backup, place, None)
    assert place.read_bytes() == backup.read_bytes()
    assert place.stat().st_mode & 0o777 == 0o600
    assert left_at(place) == {"ledger.db"}
    assert (report.accounts, report.transactions) == (1, 1)
    assert balance(place) == manifest.contents.sums["balances_microcredits"] == 100 * CREDIT
    restored = Database("sqlite", f"sqlite:///{place}")
    again = await restored.open()
    await give(again, "ada", CREDIT, clock=clock, ids=ids)
    await again.close()
    assert ledger_problems(restored) == []


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
async def test_nothing_is_replaced(backup, place, suffix):
    """Not even a journal of a database that is gone: SQLite would apply it to what was restored."""
    place.parent.mkdir()
    there = place.with_name(place.name + suffix)
    there.write_bytes(b"kept")
    with pytest.raises(BackupInvalidError, match="replaces nothing"):
        await restore_backup(backup, place, None)
    assert there.read_bytes() == b"kept"
    assert left_at(place) == {there.name}


async def test_a_database_that_comes_meanwhile_is_not_replaced(backup, place, monkeypatch):
    checked = restoring.prove_backup

    async def somebody_comes(*backup):
        place.write_bytes(b"kept")
        return await checked(*backup)

    monkeypatch.setattr(restoring, "prove_backup", somebody_comes)
    with pytest.raises(BackupInvalidError, match="replaces nothing"):
        await restore_backup(backup, place, None)
    assert place.read_bytes() == b"kept"
    assert left_at(place) == {"ledger.db"}


async def test_a_database_that_runs_is_not_touched(backup, database):
    with pytest.raises(DatabaseInUseError):
        await restore_backup(backup, database.path, None)
    assert balance(database.path) == 101 * CREDIT


async def test_a_damaged_backup_leaves_nothing(backup, place):
    os.truncate(backup, 8192)
    with pytest.raises(BackupInvalidError, match="bytes"):
        await restore_backup(backup, place, None)
    assert left_at(place) == set()


async def test_a_backup_that_changes_after_its_proof_leaves_nothing(backup, place, monkeypatch):
    checked = restoring.prove_backup

    async def then_damage(file, manifest, progress):
        proven = await checked(file, manifest, progress)
        os.truncate(file, 8192)
        return proven

    monkeypatch.setattr(restoring, "prove_backup", then_damage)
    with pytest.raises(BackupInvalidError, match="changed, or damaged"):
        await restore_backup(backup, place, None)
    assert left_at(place) == set()
