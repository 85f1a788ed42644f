"""The write-ahead log of a SQLite database, watched from outside.

It begins anew at the first commit after a checkpoint of all of it that meets no reader who began before. Reads that
overlap without a gap would put that off for ever.
"""

from pathlib import Path
from typing import Final

import aiosqlite

from billing_service.storage import failures

LONG_BYTES: Final = 12 * 1024 * 1024
"""From here on, reads wait until it can begin anew."""
LONGER_BYTES: Final = 4 * 1024 * 1024
"""How much more there is before that is tried again: some other program reads."""


def wal_bytes(database: Path) -> int:
    """Size of the log's file. It is cut back to `WAL_BYTES_KEPT` when it begins anew, which a reader that does not end
    prevents."""
    try:
        return database.with_name(database.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


class WalWatch:
    """Notices when the log of a database has become long."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._due_bytes = LONG_BYTES

    def is_due(self) -> bool:
        """Whether it is time to let it begin anew. To be asked after each commit: once it has said so, it waits for
        `LONGER_BYTES`."""
        try:
            found = wal_bytes(self._database)
        except OSError:  # what was committed is committed; the next transaction finds out
            return False
        if found < LONG_BYTES:
            self._due_bytes = LONG_BYTES
        elif found >= self._due_bytes:
            self._due_bytes = found + LONGER_BYTES
            return True
        return False


def checkpoint(connection: aiosqlite.Connection) -> None:
    """Writes what the log holds into the database, as far as no reader needs it. Inside the connection's own thread."""
    with failures.of_sqlite():
        connection._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # noqa: SLF001 - no public way
