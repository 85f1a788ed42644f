"""The table of sabotages keeps up with the code. Whether the tests notice them, `make mutants` finds out."""

import ast
from pathlib import Path

import pytest
from sabotage import Sabotage, StaleSabotageError
from sabotages import SABOTAGES

ROOT = Path(__file__).parents[2]
SABOTAGES_MIN = 30


def functions(path):
    """Names of a file's test functions, those of classes with them."""
    return {
        node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_there_are_enough_and_each_has_its_name():
    assert len({sabotage.name for sabotage in SABOTAGES}) == len(SABOTAGES) >= SABOTAGES_MIN


@pytest.mark.parametrize("text", ["nowhere", "twice"])
def test_a_text_that_is_not_there_once_is_told(tmp_path, text):
    (tmp_path / "code.py").write_text("twice = 1\ntwice = 2\n")
    with pytest.raises(StaleSabotageError, match="stale"):
        Sabotage("stale", "P1", "code.py", text, "", ()).sabotaged(tmp_path)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=[sabotage.name for sabotage in SABOTAGES])
def test_each_still_fits_its_file_and_names_tests_that_exist(sabotage):
    changed = sabotage.sabotaged(ROOT)
    assert changed != (ROOT / sabotage.path).read_text()
    if sabotage.path.endswith(".py"):
        ast.parse(changed)
    assert sabotage.tests
    for test in sabotage.tests:
        path, _, name = test.partition("::")
        assert not name or name.partition("[")[0] in functions(f"tests/{path}"), test
