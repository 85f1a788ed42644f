"""Tests find what they share by its package path, so that a module has one name and one place."""

import ast
from pathlib import Path

from tests.conftest import LONG_FIRST

TESTS = Path(__file__).parents[1]
SHARING = {"support", "bench"}
"""What other folders may import: the package that is there for it, and the load generator."""
LOOKS_AT_ALL = "architecture"


def trees():
    """Every module under tests/ by its path from there; recorded databases have none of ours."""
    for path in sorted(TESTS.rglob("*.py")):
        yield path.relative_to(TESTS), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Full names of what is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_path_of_imports_is_changed():
    ways = {"sys.path", "site.addsitedir"}
    changed = {
        str(path)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ways
    }
    assert changed | {str(path) for path, tree in trees() if ways & set(imported(tree))} == set()


def test_what_two_folders_share_lies_in_support():
    strange = {}
    for path, tree in trees():
        if path.parts[0] == LOOKS_AT_ALL:
            continue
        names = [name.split(".") for name in imported(tree) if name.startswith("tests.")]
        if taken := {
            ".".join(parts)
            for parts in names
            if parts[1] not in SHARING | {path.parts[0]} and not parts[2].startswith("test_")
        }:
            strange[str(path)] = taken
    assert strange == {}


def test_files_go_to_workers_in_the_order_of_this_suite():
    """Long ones first. By default xdist begins with the files that have most tests, which are short ones."""
    assert [folder for folder in LONG_FIRST if not (TESTS / folder).is_dir()] == []
    assert "--dist loadfile --no-loadscope-reorder" in (TESTS.parent / "Makefile").read_text(encoding="utf-8")
