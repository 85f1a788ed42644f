"""Libraries that are put between a process and the system."""

import shutil
import subprocess

import pytest


def compile_preload(source, directory):
    """The library of a C file; skips where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("what the disk is asked for is not seen: there is no C compiler")
    library = directory / f"{source.stem}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library
