"""The lock files: every release that is installed anywhere here, with the hashes of its files."""

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DIRECTORY = Path(__file__).parent
"""Where the lock files are."""
PROJECTS = (ROOT / "clients" / "python", ROOT)
"""The distributions of this repository; the second depends on the first."""
LOCK = "constraints.txt"
"""For developing: all of it."""
RUN_LOCK = "constraints-run.txt"
"""For running: a part of it."""
LOCKS = (LOCK, RUN_LOCK, "constraints-codegen.txt", "constraints-supply.txt")
_DATE = re.compile(r"# Locked on (\d{4}-\d{2}-\d{2})\b")
_SIZE = re.compile(r"# To download: (\d+) MB\b")
_RELEASE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


class LockInvalidError(ValueError):
    """A line is not a release with hashes, or nothing says when it was locked."""


class Release(NamedTuple):
    """One version of one package."""

    name: str
    """As indexes compare names."""
    version: str
    hashes: frozenset[str]
    """`sha256:…`, one for each file that may be installed."""


class Lock(NamedTuple):
    """One lock file."""

    locked_on: date
    releases: tuple[Release, ...]
    download_mb: int | None = None
    """Megabytes to download for them, where the file says so."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required_name(requirement: str) -> str:
    """The name of the package that a requirement is about, as indexes compare names."""
    return canonical(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])


def read_lock(path: Path) -> Lock:
    """Raises LockInvalidError unless each line is a release of one version, locked by the hashes of its files."""
    text = path.read_text(encoding="utf-8")
    dated = _DATE.search(text)
    if dated is None:
        raise LockInvalidError(f"{path.name}: nothing says when it was locked")
    sized = _SIZE.search(text)
    releases = tuple(_release(path.name, line) for line in _joined(text))
    return Lock(date.fromisoformat(dated[1]), releases, int(sized[1]) if sized else None)


def all_releases(directory: Path = DIRECTORY) -> list[Release]:
    """Of all lock files, each once."""
    return sorted({release for name in LOCKS for release in read_lock(directory / name).releases})


def _joined(text: str) -> Iterable[str]:
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def _release(file: str, line: str) -> Release:
    first, *rest = line.split()
    release = _RELEASE.fullmatch(first)
    if release is None:
        raise LockInvalidError(f"{file}: {first} is no release of one version")
    found = [_HASH.fullmatch(word) for word in rest]
    hashes = frozenset(each[1] for each in found if each)
    if not hashes or len(hashes) != len(rest):
        raise LockInvalidError(f"{file}: {first} is not locked by hashes alone")
    return Release(canonical(release[1]), release[2], hashes)
