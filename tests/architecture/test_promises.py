"""The table of promises names each once, and tests that exist."""

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TABLE = (TESTS / "README.md").read_text(encoding="utf-8")
RULES = {f"M{number}" for number in range(1, TABLE.count("\n| M") + 1)}
PROMISES = {f"P{number}" for number in range(1, 49)} | {
    "P30b",
    "P31b",
    "P39b",
    *(f"P{number}" for number in range(49, 56)),
    "P59",
    "P60",
}
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.splitlines() if line.startswith("| ")]
RULE_ROWS = [row for row in ROWS if len(row) > len(("rule", "mechanism")) and row[0] not in ("", "rule")]
NUMBERED = re.compile(r"[PM]\d+b?")


def cell_of_tests(row):
    """The cell that names its tests: before the figure of a promise, else the last."""
    return row[3] if NUMBERED.fullmatch(row[0]) else row[2]


NAMED = [named for row in RULE_ROWS for named in re.findall(r"`([a-z_/]+\.py)(?:::([\w*]+))?`", cell_of_tests(row))]


def test_each_promise_is_there_once():
    listed = re.findall(r"^\| (P\d+b?) \|", TABLE, re.MULTILINE) + re.findall(r"\*\*(P\d+b?)\*\*", TABLE)
    assert len(listed) == len(PROMISES)
    assert set(listed) == PROMISES


def test_each_rule_of_money_is_there_once():
    listed = re.findall(r"^\| (M\d+) \|", TABLE, re.MULTILINE)
    assert len(listed) == len(RULES)
    assert set(listed) == RULES


def test_each_line_names_a_test():
    assert [row[:2] for row in RULE_ROWS if not re.search(r"`[a-z_/]+\.py", cell_of_tests(row))] == []


@pytest.mark.parametrize(("path", "pattern"), sorted(set(NAMED)))
def test_each_test_that_is_named_exists(path, pattern):
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not pattern or any(fnmatchcase(name, pattern) for name in functions)


def test_each_mechanism_that_is_named_exists():
    """A path in the service, the gateway, the Python client, the tests or the repository."""
    root = TESTS.parent
    places = [root / "billing_service", root / "clients" / "python", root, TESTS]
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py|(?:[a-z_]+/)+)`", TABLE))
    assert len(named) > 50
    assert [path for path in sorted(named) if not any((place / path).exists() for place in places)] == []
