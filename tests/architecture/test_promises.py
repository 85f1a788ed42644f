"""The table of promises names each once, and tests that exist."""

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TABLE = (TESTS / "README.md").read_text(encoding="utf-8")
RULES = {f"M{number}" for number in range(1, TABLE.count("\n| M") + 1)}
PROMISES = {f"P{number}" for number in range(1, 49)} | {"P30b", "P31b", "P39b", "P49", "P50", "P51", "P53", "P54"}
NAMED = re.findall(
    r"`([a-z_/]+\.py)(?:::([\w*]+))?`",
    "\n".join(line.split("|")[4] for line in TABLE.splitlines() if line.startswith(("| P", "| M"))),
)


def test_each_promise_is_there_once():
    listed = re.findall(r"^\| (P\d+b?) \|", TABLE, re.MULTILINE) + re.findall(r"\*\*(P\d+b?)\*\*", TABLE)
    assert len(listed) == len(PROMISES)
    assert set(listed) == PROMISES


def test_each_rule_of_money_is_there_once():
    listed = re.findall(r"^\| (M\d+) \|", TABLE, re.MULTILINE)
    assert len(listed) == len(RULES)
    assert set(listed) == RULES


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
