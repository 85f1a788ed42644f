"""What a backup must contain, in a file of its own. A backup is proven when its content is the same."""

import hashlib
import json
import os
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from billing_service.domain.deployment import CHECKOUT_PREFIXES, Mode
from billing_service.integrity.heads import head_line
from billing_service.integrity.progress import Progress, read_bytes, unheard

FORMAT = 3
FORMATS_READ = (2, 3)
"""Format 2 has neither mode nor deployment."""
MANIFEST_SUFFIX = ".manifest.json"
MANIFEST_BYTES_MAX = 1 << 20
BUSY_TIMEOUT_S = 30.0
INSTRUCTIONS_BETWEEN = 1_000_000
"""Of SQLite's, between two words that it is still at it: some tens of milliseconds."""

_SUMS = {
    "entries_microcredits": "SELECT COALESCE(SUM(amount), 0) FROM entries",
    "lots_remaining_microcredits": "SELECT COALESCE(SUM(remaining), 0) FROM lots",
    "balances_microcredits": "SELECT COALESCE(SUM(balance), 0) FROM accounts",
    "debts_microcredits": "SELECT COALESCE(SUM(debt), 0) FROM accounts",
}
_CHECKOUT = "SELECT 1 FROM purchase_references WHERE reference >= ? AND substr(reference, 1, ?) = ? LIMIT 1"
_HEADS = "SELECT account_id, version, last_hash FROM accounts WHERE version > 0 ORDER BY account_id"


class BackupInvalidError(Exception):
    """A backup can't be made, or can't be relied on. `problems` has a line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds, in few figures."""

    migration: str
    counts: dict[str, int]
    """Rows by table."""
    sums: dict[str, int]
    heads: str
    """The digest that `billing heads` would say: of the newest hash of every account's chain, and so of all
    transactions."""
    mode: str = ""
    """Whether its money is real: sandbox, test or live; empty when no service that knows of modes has started on it."""
    deployment_id: str = ""
    """Whose ledger it is; empty as above."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup must be and hold."""

    create_time: str
    """ISO 8601, UTC."""
    file_bytes: int
    sha256: str
    contents: Contents
    format: int = FORMAT


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """`mode`: ro or rw."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
    )
    connection.execute("PRAGMA trusted_schema=OFF")
    # Only the service's own connection checkpoints: some SQLite versions corrupt a database that two do.
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def integrity(connection: sqlite3.Connection, progress: Progress = unheard) -> list[str]:
    """What is broken in the file; empty when it is sound. SQLite does not say how far it has come, only that it is at
    it."""

    def at_it() -> int:
        progress("soundness checked", 0, None)
        return 0

    connection.set_progress_handler(at_it, INSTRUCTIONS_BETWEEN)
    try:
        rows = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    finally:
        connection.set_progress_handler(None, 0)
    return [] if rows == ["ok"] else [f"integrity: {row}" for row in rows]


def contents(connection: sqlite3.Connection, progress: Progress = unheard) -> Contents:
    """Raises BackupInvalidError when there is no schema."""
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    tables = [str(row[0]) for row in connection.execute(names)]
    migration, counts = _migration(connection), {}
    for number, table in enumerate(tables):
        progress("tables counted", number, len(tables))
        # A name from the schema.
        counts[table] = _one_integer(connection, f'SELECT COUNT(*) FROM "{table}"')  # noqa: S608
    return Contents(
        migration=migration,
        counts=counts,
        sums={name: _one_integer(connection, query) for name, query in _SUMS.items()},
        heads=_heads(connection),
        **_deployment(connection, tables),
    )


def differences(manifest: Manifest, found: Contents) -> list[str]:
    """A line for each figure that is not the manifest's."""
    expected, there = asdict(manifest.contents), asdict(found)
    return [
        f"{name}: the manifest says {expected[name]}, the backup has {there[name]}"
        for name in there
        if there[name] != expected[name]
    ]


def _deployment(connection: sqlite3.Connection, tables: list[str]) -> dict[str, str]:
    row = (
        connection.execute("SELECT mode, deployment_id FROM deployment").fetchone() if "deployment" in tables else None
    )
    return {} if row is None else {"mode": str(row[0]), "deployment_id": str(row[1])}


def modes_possible(file: Path, held: Contents) -> frozenset[Mode]:
    """The modes that a backup's ledger may be of: its own, or where no service gave it one, those that its checkouts
    leave. Raises BackupInvalidError."""
    if held.mode:
        return frozenset({Mode(held.mode)})
    possible = frozenset(Mode)
    try:
        with closing(connect(file, "ro")) as connection:
            for prefix, modes in CHECKOUT_PREFIXES.items():
                if connection.execute(_CHECKOUT, (prefix, len(prefix), prefix)).fetchone():
                    possible &= modes
    except sqlite3.Error as error:
        raise BackupInvalidError([f"the backup is no sound database: {error}"]) from error
    return possible


def _one_integer(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _heads(connection: sqlite3.Connection) -> str:
    digest = hashlib.sha256()
    for account_id, version, last_hash in connection.execute(_HEADS):
        digest.update(head_line(account_id, version, last_hash))
    return digest.hexdigest()


def _migration(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise BackupInvalidError(["the database has no schema: run `billing migrate`"])
    return str(row[0])


def manifest_path(file: Path) -> Path:
    return file.with_name(file.name + MANIFEST_SUFFIX)


def write_manifest(path: Path, manifest: Manifest) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("x", encoding="utf-8") as out:
        json.dump(asdict(manifest), out, indent=2)
        out.write("\n")
    flush(partial)
    partial.rename(path)
    flush(path.parent)


def read_manifest(path: Path) -> Manifest:
    """Raises BackupInvalidError."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(MANIFEST_BYTES_MAX))
        if content["format"] not in FORMATS_READ:
            raise BackupInvalidError(
                [f"{path} has format {content['format']}, this program knows {' and '.join(map(str, FORMATS_READ))}"]
            )
        held = Contents(**content["contents"])
        if held.mode:
            Mode(held.mode)  # a ValueError is one of the shapes that no manifest has
        return Manifest(**{**content, "contents": held})
    except FileNotFoundError:
        raise BackupInvalidError(
            [f"there is no manifest at {path}: the backup was not finished, or its manifest was left behind"]
        ) from None
    except (ValueError, TypeError, KeyError):
        raise BackupInvalidError([f"{path} is not a manifest"]) from None


def sha256_of(path: Path, progress: Progress = unheard) -> str:
    digest = hashlib.sha256()
    read_bytes(path, digest.update, progress)
    return digest.hexdigest()


def flush(path: Path) -> None:
    """On disk when this returns; for a directory, the names in it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
