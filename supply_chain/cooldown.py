"""Whether what was locked had been public for a week: a release that was stolen or broken is mostly found out within
days.

Indexes say when each file was uploaded (their JSON, PEP 700). `make lock` has pip take none that is younger. This looks
again, at the very files that the hashes allow, because pip does not ask that of files in a local folder.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from supply_chain.audit import Outcome, Say
from supply_chain.index import files_of
from supply_chain.locked import DIRECTORY, LOCKS, Release, read_lock

AGE_MIN = timedelta(days=7)
AT_ONCE = 8

Uploads = dict[str, datetime]
"""By hash, `sha256:…`."""
Look = Callable[[str], Uploads | None]
"""All files of one package; None when no index says."""


def check_ages(say: Say, look: Look | None = None, directory: Path = DIRECTORY) -> Outcome:
    """Says which releases were younger than a week on the day on which they were locked."""
    looking = look or uploads_of
    young, untold = [], []
    locks = {name: read_lock(directory / name) for name in LOCKS}
    names = sorted({release.name for lock in locks.values() for release in lock.releases})
    with ThreadPoolExecutor(AT_ONCE) as threads:
        seen = dict(zip(names, threads.map(looking, names), strict=True))
    for name, lock in locks.items():
        for release in lock.releases:
            newest = _newest(release, seen[release.name])
            if newest is None:
                untold.append(release.name)
            elif newest > _limit(lock.locked_on):
                young.append(
                    f"TOO YOUNG: {release.name} {release.version} of {newest:%Y-%m-%d}, locked on "
                    f"{lock.locked_on} in {name}"
                )
    for line in young:
        say(line)
    if young:
        return Outcome.VULNERABLE
    if untold:
        undated = sorted(set(untold))
        say(f"AGE NOT KNOWN: of {len(undated)} packages, whose uploads no index dates: {', '.join(undated)}")
        return Outcome.COULD_NOT_LOOK
    say(f"OLD ENOUGH: all of {len(seen)} packages were public for {AGE_MIN.days} days when they were locked")
    return Outcome.CLEAN


def _limit(locked_on: date) -> datetime:
    return datetime.combine(locked_on, time.max, UTC) - AGE_MIN


def _newest(release: Release, uploads: Uploads | None) -> datetime | None:
    """Of the files that may be installed; None unless each is dated."""
    times = [(uploads or {}).get(each) for each in release.hashes]
    dated = [each for each in times if each is not None]
    return max(dated) if len(dated) == len(times) else None


def uploads_of(package: str) -> Uploads | None:
    files = files_of(package)
    return None if files is None else {digest: file.uploaded for digest, file in files.items()}
