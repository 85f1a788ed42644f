"""Copies of a SQLite database, made while the service runs, and the proof that a copy can be restored.

Beside each copy stands a manifest: what the copy must hold. It is written last, so a copy without one is not finished.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from billing_service.operations.verify import verify_ledger
from billing_service.storage.migrate import migrate
from billing_service.storage.sqlite import open_sqlite

FORMAT = 1
MANIFEST_SUFFIX = ".manifest.json"
MANIFEST_BYTES_MAX = 1 << 20
BUSY_TIMEOUT_S = 30.0

_SUMS = {
    "entries_microcredits": "SELECT COALESCE(SUM(amount), 0) FROM entries",
    "lots_remaining_microcredits": "SELECT COALESCE(SUM(remaining), 0) FROM lots",
    "balances_microcredits": "SELECT COALESCE(SUM(balance), 0) FROM accounts",
    "debts_microcredits": "SELECT COALESCE(SUM(debt), 0) FROM accounts",
}


class BackupInvalidError(Exception):
    """A backup can't be made, or can't be relied on. `problems` has a line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup must hold."""

    create_time: str
    """ISO 8601, UTC."""
    migration: str
    file_bytes: int
    sha256: str
    counts: dict[str, int]
    """Rows by table."""
    sums: dict[str, int]
    format: int = FORMAT


def back_up(source: Path, target: Path) -> Manifest:
    """Copies `source` as it stands at one moment. Safe beside a service that writes to it; it holds up nobody.

    Raises BackupInvalidError when there is no database, the target exists already, or the copy is not sound; OSError.
    """
    manifest_path = _manifest_path(target)
    if not source.is_file():
        raise BackupInvalidError([f"there is no database at {source}"])
    taken = [path for path in (target, manifest_path) if path.exists()]
    if taken:
        raise BackupInvalidError([f"{path} exists already: a backup never replaces another" for path in taken])
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.touch(mode=0o600, exist_ok=False)
    try:
        try:
            counts, sums, migration = _copy(source, partial)
        except sqlite3.Error as error:
            raise BackupInvalidError([f"{source} can't be copied: {error}"]) from error
        _flush(partial)
        manifest = Manifest(
            create_time=datetime.now(UTC).isoformat(timespec="seconds"),
            migration=migration,
            file_bytes=partial.stat().st_size,
            sha256=_sha256(partial),
            counts=counts,
            sums=sums,
        )
        partial.rename(target)
    except BaseException:  # also when interrupted: half a copy must not look like one
        partial.unlink(missing_ok=True)
        raise
    _write_manifest(manifest_path, manifest)
    return manifest


async def verify_backup(file: Path) -> Manifest:
    """Restores a backup into a temporary directory, brings it to this program's schema, and verifies its ledger.

    Raises BackupInvalidError. The backup itself is only read.
    """
    manifest = _check_file(file)
    with TemporaryDirectory(prefix="billing-restore-") as directory:
        restored = Path(directory) / "restored.db"
        shutil.copyfile(file, restored)
        problems = _compare(restored, manifest) or await _prove(restored)
    if problems:
        raise BackupInvalidError(problems)
    return manifest


def _check_file(file: Path) -> Manifest:
    manifest = _read_manifest(_manifest_path(file))
    if not file.is_file():
        raise BackupInvalidError([f"there is no backup at {file}"])
    problems = []
    if (size := file.stat().st_size) != manifest.file_bytes:
        problems.append(f"the file has {size:,} bytes, its manifest says {manifest.file_bytes:,}")
    if _sha256(file) != manifest.sha256:
        problems.append("the file's SHA-256 is not the manifest's: it was changed or damaged")
    if problems:
        raise BackupInvalidError(problems)
    return manifest


def _copy(source: Path, partial: Path) -> tuple[dict[str, int], dict[str, int], str]:
    # One step for all pages: one snapshot, which readers and the writer of a write-ahead log don't wait for.
    with closing(_connect(source, "ro")) as original, closing(_connect(partial, "rw")) as copy:
        original.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file, complete in itself
        problems = _integrity(copy)
        if problems:
            raise BackupInvalidError(problems)
        return _counts(copy), _sums(copy), _migration(copy)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    connection.execute("PRAGMA trusted_schema=OFF")
    # Only the service's own connection checkpoints: some SQLite versions corrupt a database that two do.
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def _compare(restored: Path, manifest: Manifest) -> list[str]:
    with closing(_connect(restored, "ro")) as connection:
        try:
            problems = _integrity(connection)
            found = {"counts": _counts(connection), "sums": _sums(connection), "migration": _migration(connection)}
        except sqlite3.Error as error:
            return [f"the backup is no sound database: {error}"]
    expected = {"counts": manifest.counts, "sums": manifest.sums, "migration": manifest.migration}
    return problems + [
        f"{name}: the manifest says {expected[name]}, the backup has {found[name]}" for name in found if found[name] != expected[name]
    ]


async def _prove(restored: Path) -> list[str]:
    try:
        await migrate(f"sqlite:///{restored}")
    except Exception as error:  # noqa: BLE001 - a backup that can't be restored is none, whatever the reason
        return [f"the backup can't be brought to this program's schema, as when a newer program made it: {error}"]
    store = await open_sqlite(restored)
    try:
        report = await verify_ledger(store)
    finally:
        await store.close()
    return [f"{d.account_id}: {d.subject}: the ledger says {d.expected}, stored is {d.stored}" for d in report.differences]


def _integrity(connection: sqlite3.Connection) -> list[str]:
    rows = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    return [] if rows == ["ok"] else [f"integrity: {row}" for row in rows]


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    tables = [str(row[0]) for row in connection.execute(names)]
    return {table: _one_integer(connection, f'SELECT COUNT(*) FROM "{table}"') for table in tables}  # noqa: S608 - a name from the schema


def _sums(connection: sqlite3.Connection) -> dict[str, int]:
    return {name: _one_integer(connection, query) for name, query in _SUMS.items()}


def _one_integer(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _migration(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise BackupInvalidError(["the database has no schema: run `billing migrate`"])
    return str(row[0])


def _manifest_path(file: Path) -> Path:
    return file.with_name(file.name + MANIFEST_SUFFIX)


def _write_manifest(path: Path, manifest: Manifest) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("x", encoding="utf-8") as out:
        json.dump(asdict(manifest), out, indent=2)
        out.write("\n")
    _flush(partial)
    partial.rename(path)
    _flush(path.parent)


def _read_manifest(path: Path) -> Manifest:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(MANIFEST_BYTES_MAX))
        manifest = Manifest(**content)
    except FileNotFoundError:
        raise BackupInvalidError(
            [f"there is no manifest at {path}: the backup was not finished, or its manifest was left behind"]
        ) from None
    except (ValueError, TypeError):
        raise BackupInvalidError([f"{path} is not a manifest"]) from None
    if manifest.format != FORMAT:
        raise BackupInvalidError([f"{path} has format {manifest.format}, this program knows {FORMAT}"])
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """On disk when this returns; for a directory, the names in it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
