"""The table of sabotages keeps up with the code. Whether the tests notice them, `make mutants` finds out."""

import ast
from pathlib import Path

import pytest

from tests.mutants.sabotage import Sabotage, StaleSabotageError, TextSabotage
from tests.mutants.sabotages import SABOTAGES

ROOT = Path(__file__).parents[2]
SABOTAGES_MIN = 30


def functions(path):
    """Names of a file's test functions, those of classes with them."""
    return {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_there_are_enough_and_each_has_its_name():
    assert len({sabotage.name for sabotage in SABOTAGES}) == len(SABOTAGES) >= SABOTAGES_MIN


CODE = """
LIMIT = 3


class Meter:
    def read(self, *, at_s):
        if at_s > LIMIT:
            raise ValueError("late")
        self.seen = at_s
        return at_s


def read(at_s):
    total = at_s + 1  # two spaces
    total = total + at_s + 1
    return total
"""


def code_sabotage(place, code, replacement=""):
    return Sabotage("stale", "P1", f"code:{place}" if place else "code", code, replacement, ())


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("Meter.write", "return at_s"),
        ("Meter.read.seen", "self.seen"),
        ("nothing", "LIMIT"),
        ("read", "at_s + 2"),
        ("read", "at_s"),
        ("", "return at_s"),
        ("Meter", "return at_s\nreturn at_s"),
        ("Meter.read", "if at_s > LIMIT:\n    pass"),
    ],
)
def test_code_that_is_not_there_once_is_told(tmp_path, place, code):
    (tmp_path / "code.py").write_text(CODE + "\n\ndef again(at_s):\n    return at_s\n")
    with pytest.raises(StaleSabotageError, match="stale"):
        code_sabotage(place, code).sabotaged(tmp_path)


def test_a_module_that_is_gone_is_told(tmp_path):
    with pytest.raises(StaleSabotageError, match=r"no code\.py"):
        code_sabotage("read", "total").sabotaged(tmp_path)


@pytest.mark.parametrize("text", ["nowhere", "twice"])
def test_a_text_that_is_not_there_once_is_told(tmp_path, text):
    (tmp_path / "code.yml").write_text("twice: 1\ntwice: 2\n")
    with pytest.raises(StaleSabotageError, match="stale"):
        TextSabotage("stale", "P1", "code.yml", text, "", ()).sabotaged(tmp_path)


@pytest.mark.parametrize(
    ("defect", "before", "after"),
    [
        (("Meter.read", "at_s>LIMIT", "at_s >= LIMIT"), "if at_s > LIMIT:", "if (at_s >= LIMIT):"),
        (("LIMIT", "3", "4"), "LIMIT = 3", "LIMIT = (4)"),
        (("read", "(at_s\n  + 1)", "at_s"), "total = at_s + 1", "total = (at_s)"),
        (("Meter.read", "self.seen = at_s", ""), "        self.seen = at_s\n", "        pass\n"),
        (
            ("Meter", "self.seen = at_s\nreturn at_s", "for once in (1, 2):\n    self.seen = at_s\nreturn at_s"),
            "        self.seen = at_s\n        return at_s\n",
            "        for once in (1, 2):\n            self.seen = at_s\n        return at_s\n",
        ),
    ],
    ids=["an expression", "a constant", "laid out otherwise", "a statement less", "statements"],
)
def test_one_place_changes_and_nothing_else(tmp_path, defect, before, after):
    (tmp_path / "code.py").write_text(CODE)
    assert code_sabotage(*defect).sabotaged(tmp_path) == CODE.replace(before, after, 1) != CODE


def test_packages_that_lie_elsewhere_are_found():
    assert (
        Sabotage("", "", "billing_client.retries:waits", "", "", ()).path == "clients/python/billing_client/retries.py"
    )
    assert Sabotage("", "", "billing_service.domain", "", "", ()).path == "billing_service/domain.py"


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
