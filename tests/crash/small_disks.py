"""File systems so small that they can be filled."""

import shutil
import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def mounted_small_disk(path, size="4m"):
    """A file system of that size in memory; skips where this user may not mount one."""
    if shutil.which("mount") is None:
        pytest.skip("a full disk is not tested: there is no mount command")
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a full disk is not tested: this user may not mount a small one")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def fill(path):
    """Fills a file system to the last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 512, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
