"""The list of what a build is made of: the environment that `make setup` makes, as CycloneDX, checked against its
schema."""

import subprocess
import sys
from pathlib import Path

from supply_chain.locked import ROOT

FORMAT_VERSION = "1.6"


def write_sbom(environment: Path, target: Path, *, check: bool = True) -> None:
    """`environment`: its interpreter. The same environment gives the same bytes. Raises CalledProcessError, also when
    the schema, which takes seconds to ask, does not accept it."""
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "environment",
        str(environment),
        "--pyproject",
        str(ROOT / "pyproject.toml"),
    ]
    command += [
        "--mc-type",
        "application",
        "--output-reproducible",
        "--spec-version",
        FORMAT_VERSION,
        "--output-format",
        "JSON",
    ]
    command += ["--validate" if check else "--no-validate", "--output-file", str(target)]
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, check=True)  # noqa: S603 - our own words
