"""Makes the lock files, by pip-tools, from what pyproject.toml asks for."""

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime

from supply_chain.cooldown import AGE_MIN
from supply_chain.locked import ROOT

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
    _compile("constraints.txt", [*options, "--extra=dev", "pyproject.toml"], "")
    for group in GROUPS:
        _compile(f"constraints-{group}.txt", [*options, "-"], "\n".join(groups[group]) + "\n")


def _compile(file: str, arguments: Sequence[str], given: str) -> None:
    command = [sys.executable, "-m", "piptools", "compile", *_OPTIONS, f"--output-file={file}", *arguments]
    subprocess.run(command, cwd=ROOT, input=given, text=True, check=True)  # noqa: S603 - our own words
    path = ROOT / file
    releases = "".join(line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if not line.startswith("#"))
    today = datetime.now(UTC).date()
    path.write_text(f"# Locked on {today} by `make lock`; nothing in it was younger than a week.\n{releases}", encoding="utf-8")
