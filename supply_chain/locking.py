"""Makes the lock files, by pip-tools, from what pyproject.toml asks for."""

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime

from supply_chain.cooldown import AGE_MIN
from supply_chain.locked import DIRECTORY, LOCK, ROOT, RUN_LOCK, read_lock
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
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    _compile(LOCK, [*options, "--extra=dev", "--extra=editable", "pyproject.toml"], "")
    _compile(RUN_LOCK, ["--extra=editable", f"--constraint={DIRECTORY / LOCK}", "pyproject.toml"], "")
    for group in GROUPS:
        _compile(f"constraints-{group}.txt", [*options, "-"], "\n".join(groups[group]) + "\n")


def _compile(file: str, arguments: Sequence[str], given: str) -> None:
    path = DIRECTORY / file
    command = [sys.executable, "-m", "piptools", "compile", *_OPTIONS, f"--output-file={path}", *arguments]
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    subprocess.run(command, cwd=ROOT, input=given, text=True, check=True)  # noqa: S603 - our own words
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
