"""Which program this is, for `billing --version`, metrics and whoever reads a log."""

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Final

DISTRIBUTION: Final = "prepaid-billing"
UNKNOWN: Final = "unknown"
"""The version of a tree that was never installed."""


def program_version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return UNKNOWN


def version_line() -> str:
    return f"billing {program_version()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
