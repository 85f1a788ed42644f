"""Everything that is installed is locked, by the hashes of its files, and by nothing else."""

import json
import re
import tomllib
from datetime import UTC, datetime
from importlib.metadata import distribution, distributions

import pytest
from packaging.requirements import Requirement

from supply_chain.locked import (
    DIRECTORY,
    LOCK,
    LOCKS,
    PROJECTS,
    ROOT,
    RUN_LOCK,
    LockInvalidError,
    canonical,
    read_lock,
    required_name,
)
from supply_chain.locking import requirements

INSTALLERS = {"pip", "setuptools"}
"""Of Python's own `venv`, which nothing is downloaded for."""
CLIENT, PROJECT = [tomllib.loads((project / "pyproject.toml").read_text()) for project in PROJECTS]
OWN = {each["project"]["name"]: each["project"]["version"] for each in (CLIENT, PROJECT)}
DATED = "# Locked on 2026-01-01\n"


def locked(name):
    return {release.name: release.version for release in read_lock(DIRECTORY / name).releases}


def asked_for(lines):
    return {required_name(line) for line in lines}


UNLOCKED_EXTRAS = {"rates-litellm", "rates-genai"}
"""Price lists for a command of operators. Nothing of the product loads them, and their newest release is the one to
have."""


@pytest.mark.parametrize("name", LOCKS)
def test_every_release_is_locked_by_hashes_on_a_day_that_was(name):
    lock = read_lock(DIRECTORY / name)
    assert lock.releases
    assert lock.locked_on <= datetime.now(UTC).date()
    names = [release.name for release in lock.releases]
    assert len(names) == len(set(names))


def test_what_is_installed_is_what_is_locked():
    installed = {canonical(each.metadata["Name"]): each.version for each in distributions() if each.metadata["Name"]}
    assert {name: installed.pop(name) for name in OWN} == OWN
    assert {name: version for name, version in installed.items() if name not in INSTALLERS} == locked("constraints.txt")


def test_what_is_asked_for_is_locked():
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras.keys() >= UNLOCKED_EXTRAS
    assert asked_for(requirements(*(extras.keys() - UNLOCKED_EXTRAS))) <= locked("constraints.txt").keys()
    groups = PROJECT["dependency-groups"]
    assert {f"constraints-{group}.txt" for group in groups} | {LOCK, RUN_LOCK} == set(LOCKS)
    assert asked_for(requirements("editable")) <= locked(RUN_LOCK).keys()
    for group, lines in groups.items():
        assert asked_for(lines) <= locked(f"constraints-{group}.txt").keys()


def test_what_is_locked_is_asked_for_by_either_distribution_and_is_neither():
    wanted = requirements("dev", "editable")
    assert not asked_for(wanted) & OWN.keys()
    assert {*CLIENT["project"]["dependencies"], *PROJECT["project"]["dependencies"]} - {*wanted} == {
        f"{CLIENT['project']['name']}=={CLIENT['project']['version']}"
    }
    assert len(wanted) == len(set(wanted))


def test_running_is_locked_as_a_part_of_developing():
    """The same versions and the same files: what was tested is what runs."""
    developing = set(read_lock(DIRECTORY / LOCK).releases)
    running = read_lock(DIRECTORY / RUN_LOCK)
    assert set(running.releases) < developing
    assert running.download_mb
    assert not {release.name for release in running.releases} & {"pytest", "ruff", "mypy", "playwright", "matplotlib"}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_lock_for_running_is_whole_on_each_python(python, platform):
    """What its packages ask for there is in it, though it was made on one Python and one platform."""
    here = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": platform, "extra": ""}
    here |= {"platform_system": platform.capitalize(), "platform_machine": "x86_64", "os_name": "posix"}
    releases = locked(RUN_LOCK)
    wanted = set(asked_for(requirements()))
    for name in releases:
        needed = map(Requirement, distribution(name).requires or [])
        wanted |= {canonical(each.name) for each in needed if each.marker is None or each.marker.evaluate(here)}
    assert wanted <= releases.keys()


def test_nothing_is_installed_without_its_hash():
    """The Makefile leaves installing to one program, which calls pip from a lock, or for this repository alone."""
    assert "pip install" not in (ROOT / "Makefile").read_text()
    assert "$(PIP)" not in (ROOT / "Makefile").read_text()
    calls = re.findall(r"^    +_pip\(.*\)$", (ROOT / "supply_chain" / "install.py").read_text(), re.MULTILINE)
    assert len(calls) == 2
    assert '"--require-hashes", "-r", lock)' in calls[0]
    assert '"--no-deps", *editables)' in calls[1]


@pytest.mark.parametrize("folder", ["sandbox/stripe_cli", "clients/grpc_js"])
def test_tools_from_elsewhere_are_locked_by_hash_and_name_no_host(folder):
    text = (ROOT / "tests" / folder / "package-lock.json").read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "://" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a==1 --hash=sha256:" + "0" * 64, "when it was locked"),
        (DATED + "a>=1 --hash=sha256:" + "0" * 64, "no release of one version"),
        (DATED + "a==1", "not locked by hashes"),
        (DATED + "a==1 --hash=md5:" + "0" * 32, "not locked by hashes"),
        (DATED + "a==1 --hash=sha256:" + "0" * 64 + " --pre", "not locked by hashes"),
        (DATED + "--index-url=https://mirror.example", "no release of one version"),
    ],
)
def test_a_lock_that_locks_less_is_refused(tmp_path, text, words):
    (tmp_path / "constraints.txt").write_text(text)
    with pytest.raises(LockInvalidError, match=words):
        read_lock(tmp_path / "constraints.txt")
