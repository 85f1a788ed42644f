"""Each Python and platform that running is promised on finds a wheel whose hash is locked."""

from datetime import UTC, datetime

import pytest

from supply_chain.audit import Outcome
from supply_chain.index import File
from supply_chain.locked import RUN_LOCK, read_lock
from supply_chain.wheels import PLATFORMS, check_wheels, download_mb

DAY = datetime(2026, 11, 1, tzinfo=UTC)
EVERYWHERE = [
    f"a-1.0-cp3{minor}-cp3{minor}-{platform}.whl"
    for minor in (11, 12, 13, 14)
    for platform in ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_28_aarch64", "macosx_11_0_arm64")
]


def files(names):
    return {f"sha256:{number:064x}": File(name, DAY, 1_000_000 + number) for number, name in enumerate(names)}


@pytest.fixture
def check(tmp_path):
    """Checks a lock with the release a 1.0, of the files named; the index may know more, and nothing."""

    def run(locked, known=None):
        hashes = " ".join(f"--hash={digest}" for digest in files(locked))
        (tmp_path / RUN_LOCK).write_text(f"# Locked on 2026-11-28\na==1.0 {hashes}\n")
        said = []
        told = files(locked if known is None else known)
        return check_wheels(said.append, lambda _: told or None, tmp_path), said

    return run


@pytest.mark.parametrize(
    "names",
    [
        ["a-1.0-py3-none-any.whl"],
        EVERYWHERE,
        [
            "a-1.0-cp311-abi3-" + tag
            for tag in ("manylinux1_x86_64.whl", "manylinux2014_aarch64.whl", "macosx_10_9_universal2.whl")
        ],
    ],
)
def test_a_wheel_for_each(check, names):
    outcome, (line,) = check(names)
    assert outcome == Outcome.CLEAN
    assert line.startswith("WHEELS FOR ALL: 1 releases")


@pytest.mark.parametrize(
    ("names", "lacking"),
    [
        (["a-1.0.tar.gz"], 12),
        ([name for name in EVERYWHERE if "cp314" not in name], 3),
        ([name for name in EVERYWHERE if "arm64" not in name], 4),
        (["a-1.0-cp311-cp311-win_amd64.whl"], 12),
        (["a-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl", "a-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"], 12),
        (["a-1.0-cp311-cp311-manylinux_2_34_x86_64.whl"], 12),
    ],
)
def test_a_wheel_that_is_lacking_is_named(check, names, lacking):
    outcome, said = check(names)
    assert outcome == Outcome.VULNERABLE
    assert len(said) == lacking
    assert all(line.startswith("NO WHEEL: a 1.0 for Python 3.") for line in said)


def test_a_wheel_that_is_not_locked_does_not_count(check):
    assert check(["a-1.0.tar.gz"], known=["a-1.0.tar.gz", "a-1.0-py3-none-any.whl"])[0] == Outcome.VULNERABLE


def test_an_index_that_tells_nothing_is_not_clean(check):
    outcome, (line,) = check(["a-1.0-py3-none-any.whl"], known=[])
    assert outcome == Outcome.COULD_NOT_LOOK
    assert line.startswith("WHEELS NOT KNOWN")


def test_the_size_is_that_of_the_wheels_that_pip_takes(tmp_path):
    names = [*EVERYWHERE, "a-1.0.tar.gz"]
    (tmp_path / RUN_LOCK).write_text(
        f"# Locked on 2026-11-28\na==1.0 {' '.join(f'--hash={digest}' for digest in files(names))}\n"
    )
    releases = read_lock(tmp_path / RUN_LOCK).releases
    assert download_mb(releases, lambda _: files(names)) == 1
    assert download_mb(releases, lambda _: None) is None
    assert len(PLATFORMS) == 3
