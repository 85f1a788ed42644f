"""Backups: complete, made beside a service that writes, and proven by a restore; or refused."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing

import pytest

from billing_service.integrity.backup import back_up
from billing_service.integrity.heads import export_heads
from billing_service.integrity.manifest import BackupInvalidError, sha256_of
from billing_service.integrity.restore import verify_backup
from tests.support.ledger_setup import give, open_account

pytestmark = pytest.mark.parametrize("store_name", ["sqlite"], indirect=True)
CREDIT = 1_000_000


@pytest.fixture
async def backup(store, database, tmp_path, clock, ids):
    """A good one, of two accounts that hold credits. The database stays open, as the service's would."""
    await open_account(store, "ada", clock=clock, ids=ids, microcredits=100 * CREDIT)
    await open_account(store, "ben", clock=clock, ids=ids, microcredits=7)
    file = tmp_path / "copy.db"
    back_up(database.path, file)
    return file


def manifest_of(file):
    return file.with_name(file.name + ".manifest.json")


def flip_a_byte(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def change_manifest(file, **changes):
    path = manifest_of(file)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_contents(file, **changes):
    change_manifest(file, contents=json.loads(manifest_of(file).read_text())["contents"] | changes)


def change_rows(file, statement):
    """With a manifest whose size and SHA-256 fit the changed file: only what is in it can tell."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()
    change_manifest(file, sha256=sha256_of(file), file_bytes=file.stat().st_size)


DAMAGE = [
    (lambda file: file.unlink(), "there is no backup"),
    (lambda file: manifest_of(file).unlink(), "there is no manifest"),
    (lambda file: manifest_of(file).write_text("{}"), "is not a manifest"),
    (lambda file: manifest_of(file).write_text("no JSON"), "is not a manifest"),
    (lambda file: change_manifest(file, format=9), "has format 9"),
    (flip_a_byte, "SHA-256"),
    (lambda file: os.truncate(file, 8192), "bytes"),
    (lambda file: change_contents(file, migration="0001"), "migration"),
    (lambda file: change_contents(file, sums={}), "sums"),
    (lambda file: change_contents(file, heads="0" * 64), "heads"),
    (lambda file: change_contents(file, mode="live"), "mode: the manifest says live"),
    (lambda file: change_contents(file, mode="play"), "is not a manifest"),
    (lambda file: change_contents(file, deployment_id="dep_x"), "deployment_id"),
    (lambda file: change_manifest(file, contents={}), "is not a manifest"),
    (lambda file: change_rows(file, "DELETE FROM lots WHERE account_id = 'ben'"), "counts"),
    (
        lambda file: change_rows(file, "UPDATE lots SET remaining = remaining - 1 WHERE account_id = 'ada'"),
        "lots_remaining",
    ),
    (lambda file: change_rows(file, "UPDATE accounts SET last_hash = x'00' WHERE account_id = 'ben'"), "heads"),
    (
        lambda file: change_rows(file, "UPDATE accounts SET last_transaction_id = 'x' WHERE account_id = 'ben'"),
        "ben: .*the ledger says",
    ),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGE)
async def test_damaged_backup_is_refused(backup, damage, words):
    damage(backup)
    with pytest.raises(BackupInvalidError, match=words):
        await verify_backup(backup)


async def test_backup_of_an_unknown_schema_is_refused(backup):
    change_rows(backup, "UPDATE alembic_version SET version_num = '9999'")
    change_contents(backup, migration="9999")
    with pytest.raises(BackupInvalidError, match="can't be brought to this program's schema"):
        await verify_backup(backup)


async def test_backup_never_replaces_a_file(backup, database):
    before = backup.read_bytes()
    with pytest.raises(BackupInvalidError, match="exists already"):
        back_up(database.path, backup)
    assert backup.read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 100])
@pytest.mark.usefixtures("store_name")
def test_what_is_no_ledger_is_not_copied(content, tmp_path):
    source = tmp_path / "source.db"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(BackupInvalidError):
        back_up(source, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == ([] if content is None else [source])


async def test_backup_is_proven_by_its_restore(backup):
    manifest, report = await verify_backup(backup)
    assert manifest.contents.counts["accounts"] == report.accounts == 2
    sums = manifest.contents.sums
    assert sums["balances_microcredits"] == sums["lots_remaining_microcredits"] == 100 * CREDIT + 7
    assert backup.stat().st_mode & 0o777 == 0o600


async def test_the_manifest_has_the_digest_of_the_heads(backup, store, tmp_path):
    exported = await export_heads(store, tmp_path / "heads")
    assert (await verify_backup(backup))[0].contents.heads == exported.digest


async def test_verifying_changes_nothing(backup):
    before = {path.name: path.read_bytes() for path in backup.parent.iterdir() if path.name.startswith("copy.db")}
    await verify_backup(backup)
    assert {
        path.name: path.read_bytes() for path in backup.parent.iterdir() if path.name.startswith("copy.db")
    } == before


async def test_backup_beside_writes_is_one_moment(store, database, tmp_path, clock, ids):
    """Grants go on while copies are made: each copy holds some of them, whole."""
    await open_account(store, "busy", clock=clock, ids=ids)

    async def grants():
        for _ in range(60):
            await give(store, "busy", CREDIT, clock=clock, ids=ids)

    writing = asyncio.create_task(grants())
    files = [tmp_path / f"copy-{number}.db" for number in range(3)]
    for file in files:
        await asyncio.to_thread(back_up, database.path, file)
    await writing
    withheld = [(await verify_backup(file))[0].contents.sums["balances_microcredits"] // CREDIT for file in files]
    assert withheld == sorted(withheld)
    assert withheld[-1] <= 60


async def test_closed_database_is_backed_up(store, database, tmp_path, clock, ids):
    await open_account(store, "ada", clock=clock, ids=ids, microcredits=CREDIT)
    await store.close()
    back_up(database.path, tmp_path / "copy.db")
    assert (await verify_backup(tmp_path / "copy.db"))[1].accounts == 1
