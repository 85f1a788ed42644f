"""Everything that is installed is locked, by the hashes of its files, and by nothing else."""

import json
import re
import tomllib
from datetime import UTC, datetime
from importlib.metadata import distributions

import pytest

from supply_chain.locked import LOCKS, ROOT, LockInvalidError, canonical, read_lock

OWN = "prepaid-billing"
INSTALLERS = {"pip", "setuptools"}
"""Of Python's own `venv`, which nothing is downloaded for."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DATED = "# Locked on 2026-01-01\n"


def locked(name):
    return {release.name: release.version for release in read_lock(ROOT / name).releases}


def asked_for(requirements):
    return {canonical(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_every_release_is_locked_by_hashes_on_a_day_that_was(name):
    lock = read_lock(ROOT / name)
    assert lock.releases
    assert lock.locked_on <= datetime.now(UTC).date()
    names = [release.name for release in lock.releases]
    assert len(names) == len(set(names))


def test_what_is_installed_is_what_is_locked():
    installed = {canonical(each.metadata["Name"]): each.version for each in distributions() if each.metadata["Name"]}
    own = installed.pop(OWN)
    assert own == PROJECT["project"]["version"]
    assert {name: version for name, version in installed.items() if name not in INSTALLERS} == locked("constraints.txt")


def test_what_is_asked_for_is_locked():
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = asked_for([*PROJECT["project"]["dependencies"], *(requirement for extra in extras for requirement in extra)])
    assert wanted <= locked("constraints.txt").keys()
    groups = PROJECT["dependency-groups"]
    assert {f"constraints-{group}.txt" for group in groups} | {"constraints.txt"} == set(LOCKS)
    for group, requirements in groups.items():
        assert asked_for(requirements) <= locked(f"constraints-{group}.txt").keys()


def test_nothing_is_installed_without_its_hash():
    """Each installation in the Makefile is from a lock, or of this repository alone."""
    installations = [line for line in (ROOT / "Makefile").read_text().splitlines() if "install" in line and "$(PIP)" in line]
    assert len(installations) == 3
    assert all("--require-hashes -r" in line or "--no-deps -e ." in line for line in installations)


def test_the_one_tool_from_elsewhere_is_locked_by_hash_and_names_no_host():
    text = (ROOT / "tests" / "sandbox" / "stripe_cli" / "package-lock.json").read_text()
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
