"""What DATABASE_URL says, read once for every command. Pure: no file, no environment variable and no network is looked
at."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from billing_service.storage.postgres.server import PostgresServer
from billing_service.storage.postgres.url import DatabaseUrlInvalid, parse_postgres_url

__all__ = ["Database", "DatabaseUrlInvalid", "PostgresServer", "SqliteFile", "parse_database_url"]

_SCHEME = re.compile(
    r"(sqlite|postgres(?:ql)?)(?:\+(?:aiosqlite|pysqlite|asyncpg|psycopg2?))?://", re.IGNORECASE | re.ASCII
)
"""SQLAlchemy's names of drivers are left out: the service brings its own."""
_FORMS: Final = "must be sqlite:///file or postgresql://host/database"
_IN_MEMORY = (":memory:", "file:")


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file, relative to the working directory unless its path begins with a slash."""

    path: Path


Database = SqliteFile | PostgresServer
"""Where the ledger is kept."""


def parse_database_url(text: str) -> Database:
    """Raises DatabaseUrlInvalid, whose message holds nothing that may be part of a password."""
    url = text.strip()
    if not url.isprintable():
        raise DatabaseUrlInvalid("has a line break or another control character in it")
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise DatabaseUrlInvalid(_FORMS)
    rest = url[scheme.end() :]
    return _sqlite_file(rest) if scheme[1].lower() == "sqlite" else parse_postgres_url(rest)


def _sqlite_file(rest: str) -> SqliteFile:
    """The path is taken literally, not percent-decoded: `#` and `%` are letters of a file's name."""
    if rest in _IN_MEMORY or rest.startswith(tuple(f"/{word}" for word in _IN_MEMORY)):
        raise DatabaseUrlInvalid(
            "must name a file after sqlite:///: the service opens several connections, which can't share a memory"
        )
    if not rest.startswith("/"):
        raise DatabaseUrlInvalid(
            "needs three slashes before a relative path (sqlite:///file) and four before an absolute one"
        )
    path = rest.removeprefix("/")
    if "?" in path:
        raise DatabaseUrlInvalid("has a ? in it, and SQLite takes no options here")
    if path.rpartition("/")[2] in ("", ".", ".."):
        raise DatabaseUrlInvalid("must name a file after sqlite:///")
    return SqliteFile(Path(path))
