"""Copies of the program in which something is otherwise, to run as processes of their own."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
STORE = "billing_service/storage/sqlite/connections.py"
SYNCS_LESS = [("PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"), ('("wal", 2, "ok")', '("wal", 1, "ok")')]
"""What the product refuses to do."""


def copy_program(directory):
    """A copy; answers the path by which Python finds it first."""
    shutil.copytree(
        ROOT / "billing_service", directory / "billing_service", ignore=shutil.ignore_patterns("__pycache__")
    )
    return os.pathsep.join([str(directory), *(str(ROOT / part) for part in ("", "protos", "clients/python"))])


def changed_program(directory, path, changes):
    """A copy with other text in one of its files: (text, replacement) each."""
    python_path = copy_program(directory)
    source = (directory / path).read_text()
    for text, replacement in changes:
        assert source.count(text) == 1, text
        source = source.replace(text, replacement)
    (directory / path).write_text(source)
    return python_path
