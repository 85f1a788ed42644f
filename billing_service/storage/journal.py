"""The write-ahead log of a SQLite database, from outside."""

from pathlib import Path


def journal_bytes(database: Path) -> int:
    """Size of the log's file. It is cut back to `WAL_BYTES_MAX` when it begins anew, which a reader that does not end prevents."""
    try:
        return database.with_name(database.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0
