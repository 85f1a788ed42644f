"""Makes the lock files, by pip-tools, from what the two `pyproject.toml` ask for."""

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from supply_chain.cooldown import AGE_MIN
from supply_chain.locked import DIRECTORY, LOCK, PROJECTS, ROOT, RUN_LOCK, canonical, read_lock, required_name
from supply_chain.wheels import download_mb

GROUPS = ("codegen", "supply")
"""Environments of their own, each with a lock of its own."""
_OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
    f"--pip-args=--uploaded-prior-to P{AGE_MIN.days}D",
)


def lock(options: Sequence[str]) -> None:
    """`options` go to pip-compile: `--upgrade`, `--upgrade-package=…`. Raises CalledProcessError."""
    groups = _pyproject(ROOT)["dependency-groups"]
    _compile(LOCK, options, requirements("dev", "editable"))
    _compile(RUN_LOCK, [f"--constraint={DIRECTORY / LOCK}"], requirements("editable"))
    for group in GROUPS:
        _compile(f"constraints-{group}.txt", options, groups[group])


def requirements(*extras: str) -> list[str]:
    """What both distributions ask for, with these extras of the service. Neither is in it: no index has them."""
    projects = [_pyproject(project)["project"] for project in PROJECTS]
    own = {canonical(project["name"]) for project in projects}
    asked = {requirement: None for project in projects for requirement in project["dependencies"]}
    asked |= {requirement: None for extra in extras for requirement in projects[-1]["optional-dependencies"][extra]}
    return [requirement for requirement in asked if required_name(requirement) not in own]


def _pyproject(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))


def _compile(file: str, arguments: Sequence[str], asked: Sequence[str]) -> None:
    path = DIRECTORY / file
    command = [sys.executable, "-m", "piptools", "compile", *_OPTIONS, f"--output-file={path}", *arguments, "-"]
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    # Our own words.
    subprocess.run(command, cwd=ROOT, input="\n".join(asked) + "\n", text=True, check=True)  # noqa: S603
    releases = _releases(path.read_text(encoding="utf-8"))
    if releases == _releases(before):
        path.write_text(before, encoding="utf-8")
        return
    dated = f"# Locked on {datetime.now(UTC).date()} by `make lock`; nothing in it was younger than a week.\n"
    path.write_text(dated + releases, encoding="utf-8")
    if file == RUN_LOCK:
        size_mb = download_mb(read_lock(path).releases)
        sized = "" if size_mb is None else f"# To download: {size_mb} MB of wheels for Python 3.11 on Linux x86-64.\n"
        path.write_text(dated + sized + releases, encoding="utf-8")


def _releases(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
