"""Which SQLite may be trusted with WAL.

Versions 3.7.0 to 3.51.2 can lose a WAL frame when two connections write or checkpoint at the same instant (sqlite.org,
"WAL-reset bug"). It is fixed in 3.51.3, 3.50.7 and 3.44.6; 3.52.0 was withdrawn. The store never has more than one
connection that writes or checkpoints, and one process. So an affected version is safe here.
"""

import structlog

log = structlog.get_logger(__name__)

Version = tuple[int, int, int]
OLDEST: Version = (3, 38, 0)
"""STRICT tables (3.37), RETURNING (3.35) and the JSON functions built in (3.38)."""
_WITHDRAWN: Version = (3, 52, 0)
_FIXED_LINES: dict[tuple[int, int], int] = {(3, 44): 6, (3, 50): 7, (3, 51): 3}


class SqliteUnsuitableError(Exception):
    """This SQLite must not hold money."""


def affected(version: Version) -> bool:
    """Whether this version has the WAL-reset bug."""
    line = version[:2]
    if line in _FIXED_LINES:
        return version[2] < _FIXED_LINES[line]
    return line < (3, 51)


def check(version: tuple[int, ...]) -> None:
    """Refuses versions that can't be used at all. Raises SqliteUnsuitableError."""
    major, minor, patch = version[:3]
    found: Version = (major, minor, patch)
    text = ".".join(map(str, found))
    if found < OLDEST:
        raise SqliteUnsuitableError(f"SQLite {text} is too old: {'.'.join(map(str, OLDEST))} or newer is required")
    if found == _WITHDRAWN:
        raise SqliteUnsuitableError(f"SQLite {text} was withdrawn by its authors")


def say_guard(version: tuple[int, ...]) -> None:
    """Says that an affected version is used in the way that is safe. For a service that has begun, and so has its guard
    in force."""
    major, minor, patch = version[:3]
    if affected((major, minor, patch)):
        log.info(
            "sqlite_guarded",
            version=".".join(map(str, version)),
            note="safe: this version wants one connection that writes and checkpoints, and the file has exactly that",
        )
