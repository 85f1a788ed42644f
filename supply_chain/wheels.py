"""Whether what running needs can be had as wheels, of the very hashes that are locked, for each Python and platform
that it runs on."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from supply_chain.audit import Outcome, Say
from supply_chain.index import Files, files_of
from supply_chain.locked import DIRECTORY, RUN_LOCK, Release, read_lock

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
PLATFORMS = ("Linux x86-64", "Linux ARM", "macOS ARM")
MACOS = (14, 0)
GLIBC_MINOR = 28
AT_ONCE = 8
BYTES_PER_MB = 1_000_000

Look = Callable[[str], Files | None]
"""All files of one package; None when no index says."""


def check_wheels(say: Say, look: Look | None = None, directory: Path = DIRECTORY) -> Outcome:
    """Says which release of the lock for running has no locked wheel for some Python on some platform."""
    releases = read_lock(directory / RUN_LOCK).releases
    files = _look_up(releases, look or files_of)
    untold = [release.name for release in releases if files[release.name] is None]
    lacking = [
        f"NO WHEEL: {release.name} {release.version} for Python {major}.{minor} on {platform}"
        for release in releases
        if release.name not in untold
        for major, minor in PYTHONS
        for platform in PLATFORMS
        if _best(release, files[release.name] or {}, (major, minor), platform) is None
    ]
    for line in lacking:
        say(line)
    if lacking:
        return Outcome.VULNERABLE
    if untold:
        say(f"WHEELS NOT KNOWN: of {len(untold)} releases, whose files no index names: {', '.join(untold)}")
        return Outcome.COULD_NOT_LOOK
    say(f"WHEELS FOR ALL: {len(releases)} releases, Python 3.11 to 3.14, on {', '.join(PLATFORMS)}")
    return Outcome.CLEAN


def download_mb(releases: Iterable[Release], look: Look | None = None) -> int | None:
    """Megabytes of wheels for Python 3.11 on Linux x86-64, rounded; None where no index says."""
    listed = list(releases)
    files = _look_up(listed, look or files_of)
    sizes = [_best(release, files[release.name] or {}, PYTHONS[0], "Linux x86-64") for release in listed]
    known = [size for size in sizes if size is not None]
    return round(sum(known) / BYTES_PER_MB) if len(known) == len(sizes) else None


def _look_up(releases: Iterable[Release], look: Look) -> dict[str, Files | None]:
    names = [release.name for release in releases]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(names, threads.map(look, names), strict=True))


def _best(release: Release, files: Files, python: tuple[int, int], platform: str) -> int | None:
    """Size of the wheel that pip would take, in bytes; None where no locked one fits."""
    from packaging.tags import compatible_tags, cpython_tags
    from packaging.utils import parse_wheel_filename

    names = _platforms(platform)
    order = [*cpython_tags(python, platforms=names), *compatible_tags(python, f"cp{python[0]}{python[1]}", names)]
    rank = {tag: place for place, tag in enumerate(order)}
    fitting = [
        (min(rank[tag] for tag in tags), file.size_bytes)
        for digest, file in files.items()
        if digest in release.hashes and file.name.endswith(".whl")
        if (tags := parse_wheel_filename(file.name)[3] & rank.keys())
    ]
    return min(fitting)[1] if fitting else None


def _platforms(platform: str) -> list[str]:
    """Tags that pip accepts there, best first."""
    from packaging.tags import mac_platforms

    if platform == "macOS ARM":
        return list(mac_platforms(MACOS, "arm64"))
    machine, oldest, older = {
        "Linux x86-64": ("x86_64", 5, ["manylinux2014", "manylinux2010", "manylinux1"]),
        "Linux ARM": ("aarch64", 17, ["manylinux2014"]),
    }[platform]
    names = [*(f"manylinux_2_{minor}" for minor in range(GLIBC_MINOR, oldest - 1, -1)), *older]
    return [f"{name}_{machine}" for name in names]
