"""One process for one SQLite file."""

import fcntl
import os
from pathlib import Path


class DatabaseInUseError(Exception):
    """Another process has the file: SQLite here is for one process."""


class FileLock:
    """Keeps a second process off the file, for as long as this one lives: the kernel lets go when the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._handle = -1
        if path.is_dir():  # no database: whoever opens it is told so, and nothing is left in its folder
            return
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise DatabaseInUseError(
                f"{path} is in use by another process; SQLite serves one, PostgreSQL many"
            ) from error

    def release(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
