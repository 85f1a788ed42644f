"""Backups put to the proof, and back in their place.

A backup is proven in a copy that is thrown away: what goes back is the file that was made, byte for byte.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from billing_service.domain.deployment import Mode
from billing_service.integrity.differences import Report
from billing_service.integrity.manifest import (
    BackupInvalidError,
    Manifest,
    connect,
    contents,
    differences,
    flush,
    integrity,
    manifest_path,
    modes_possible,
    read_manifest,
    sha256_of,
)
from billing_service.integrity.progress import Progress, copy_bytes, unheard
from billing_service.integrity.verify import verify_ledger
from billing_service.storage.database_url import SqliteFile
from billing_service.storage.migrate import migrate
from billing_service.storage.sqlite.connections import open_sqlite
from billing_service.storage.sqlite.file_lock import FileLock

LEFT_BEHIND = ("", "-wal", "-shm", "-journal")
"""SQLite would apply the journal of a database that is gone to the one that takes its place."""


async def verify_backup(file: Path, progress: Progress = unheard) -> tuple[Manifest, Report]:
    """Restores a backup into a temporary directory, brings it to this program's schema, and verifies its ledger.

    Raises BackupInvalidError. The backup itself is only read.
    """
    manifest = _check_file(file, progress)
    return manifest, await prove_backup(file, manifest, progress)


async def prove_backup(file: Path, manifest: Manifest, progress: Progress = unheard) -> Report:
    """Verifies what a backup holds, in a copy that is thrown away. Raises BackupInvalidError."""
    with TemporaryDirectory(prefix="billing-restore-") as directory:
        restored = Path(directory) / "restored.db"
        restored.touch(mode=0o600)
        copy_bytes(file, restored, progress)
        problems = _compare(restored, manifest, progress)
        if problems:
            raise BackupInvalidError(problems)
        return await _prove(restored, progress)


async def restore_backup(
    file: Path, target: Path, mode: Mode | None, progress: Progress = unheard
) -> tuple[Manifest, Report]:
    """Proves a backup, then puts it where a database is to be: whole, or not at all. `mode`: of whoever will serve it;
    None: not said.

    Raises ModeUnfitError, and BackupInvalidError when it can't be relied on or something is in its place,
    DatabaseInUseError, OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target)  # nobody makes a database there meanwhile
    try:
        _confirm_free(target)
        manifest = _check_file(file, progress)
        _confirm_mode(file, manifest, mode)
        report = await prove_backup(file, manifest, progress)
        _put(file, target, manifest, progress)
    finally:
        lock.release()
    return manifest, report


class ModeUnfitError(BackupInvalidError):
    """The ledger's money is not of the kind that was said of what will serve it, or nothing was said. `possible`: of
    which it may be."""

    def __init__(self, problem: str, possible: frozenset[Mode]) -> None:
        super().__init__([problem])
        self.possible = possible


def _confirm_mode(file: Path, manifest: Manifest, mode: Mode | None) -> None:
    possible = modes_possible(file, manifest.contents)
    said = (
        f"its ledger is of mode {' or '.join(sorted(possible))}"
        if possible
        else "its ledger has checkouts of play money and of real money"
    )
    if mode is None and manifest.contents.mode:
        raise ModeUnfitError(f"{said}, and the settings name no Stripe that would show this mode", possible)
    if mode is not None and mode not in possible:
        raise ModeUnfitError(f"{said}, and is to be restored for mode {mode}", possible)


def _confirm_free(target: Path) -> None:
    there = [path for path in (target.with_name(target.name + suffix) for suffix in LEFT_BEHIND) if path.exists()]
    if there:
        raise BackupInvalidError([f"{path} exists: a restore replaces nothing; move it away first" for path in there])


def _put(file: Path, target: Path, manifest: Manifest, progress: Progress) -> None:
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.touch(mode=0o600, exist_ok=False)
    try:
        copy_bytes(file, partial, progress)
        flush(partial)
        if sha256_of(partial, progress) != manifest.sha256:
            raise BackupInvalidError(["the file was changed, or damaged, while it was read"])
        try:
            os.link(partial, target)  # unlike a rename, it replaces nothing
        except FileExistsError:
            raise BackupInvalidError([f"{target} exists: a restore replaces nothing"]) from None
    finally:
        partial.unlink(missing_ok=True)
    flush(target.parent)


def _check_file(file: Path, progress: Progress) -> Manifest:
    manifest = read_manifest(manifest_path(file))
    if not file.is_file():
        raise BackupInvalidError([f"there is no backup at {file}"])
    problems = []
    if (size := file.stat().st_size) != manifest.file_bytes:
        problems.append(f"the file has {size:,} bytes, its manifest says {manifest.file_bytes:,}")
    if sha256_of(file, progress) != manifest.sha256:
        problems.append("the file's SHA-256 is not the manifest's: it was changed or damaged")
    if problems:
        raise BackupInvalidError(problems)
    return manifest


def _compare(restored: Path, manifest: Manifest, progress: Progress) -> list[str]:
    with closing(connect(restored, "ro")) as connection:
        try:
            return integrity(connection, progress) + differences(manifest, contents(connection, progress))
        except sqlite3.Error as error:
            return [f"the backup is no sound database: {error}"]


async def _prove(restored: Path, progress: Progress) -> Report:
    try:
        await migrate(SqliteFile(restored))
    except Exception as error:  # whatever stops a migration, the operator's answer is one: this backup is not restored
        line = f"the backup can't be brought to this program's schema, as when a newer program made it: {error}"
        raise BackupInvalidError([line]) from error
    store = await open_sqlite(restored)
    try:
        report = await verify_ledger(store, progress=progress)
    finally:
        await store.close()
    if report.differences:
        raise BackupInvalidError(
            [
                f"{d.account_id}: {d.subject}: the ledger says {d.expected}, stored is {d.stored}"
                for d in report.differences
            ]
        )
    return report
