"""Copies of a SQLite database, made while the service runs.

Each copy has a manifest, which says what the copy must contain. It is written last, so a copy without one is not
finished.
"""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from billing_service.integrity.manifest import (
    BackupInvalidError,
    Contents,
    Manifest,
    connect,
    contents,
    flush,
    integrity,
    manifest_path,
    sha256_of,
    write_manifest,
)
from billing_service.integrity.progress import Progress, unheard

PAGES_A_STEP = 2_000
"""8 MiB: some ten milliseconds, after which progress is reported."""


def back_up(source: Path, target: Path, progress: Progress = unheard) -> Manifest:
    """Copies `source` as it is at one moment. Safe while a service writes to it; no caller waits for it.

    Raises BackupInvalidError when there is no database, the target exists already, or the copy is not sound; OSError.
    """
    beside = manifest_path(target)
    if not source.is_file():
        raise BackupInvalidError([f"there is no database at {source}"])
    taken = [path for path in (target, beside) if path.exists()]
    if taken:
        raise BackupInvalidError([f"{path} exists already: a backup never replaces another" for path in taken])
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.touch(mode=0o600, exist_ok=False)
    try:
        try:
            held = _copy(source, partial, progress)
        except sqlite3.Error as error:
            raise BackupInvalidError([f"{source} can't be copied: {error}"]) from error
        flush(partial)
        manifest = Manifest(
            create_time=datetime.now(UTC).isoformat(timespec="seconds"),
            file_bytes=partial.stat().st_size,
            sha256=sha256_of(partial, progress),
            contents=held,
        )
        partial.rename(target)
    except BaseException:  # also when interrupted: half a copy must not look like one
        partial.unlink(missing_ok=True)
        raise
    write_manifest(beside, manifest)
    return manifest


def _copy(source: Path, partial: Path, progress: Progress) -> Contents:
    with closing(connect(source, "ro")) as original, closing(connect(partial, "rw")) as copy:
        # One snapshot for all steps, which readers and the writer of a write-ahead log don't wait for. Without it,
        # SQLite would begin anew after each write of the service.
        original.execute("BEGIN")
        original.execute("SELECT 1 FROM sqlite_schema").fetchone()
        original.backup(
            copy, pages=PAGES_A_STEP, progress=lambda _, left, total: progress("pages copied", total - left, total)
        )
        original.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode=DELETE")  # the copy is one file, complete in itself
        problems = integrity(copy, progress)
        if problems:
            raise BackupInvalidError(problems)
        return contents(copy, progress)
