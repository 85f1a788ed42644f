"""Each command's tests are found from its file: by its name, or by the table of CONTRIBUTING.md."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = ROOT / "billing_service" / "commands"
FOLDERS = ("end_to_end", "commands")
"""Where a test file has the name of its command."""
SHARED = {"environment.py", "counters.py", "sale_terms.py"}
"""What commands are given, and no command."""
ROW = re.compile(r"^\| `commands/(?P<command>[\w/]+\.py)` \| (?P<tests>.*) \|$", re.MULTILINE)
NAMED = re.compile(r"`tests/([\w/]+\.py)`")


def commands():
    found = {str(path.relative_to(COMMANDS)) for path in COMMANDS.rglob("*.py") if path.name != "__init__.py"}
    return sorted(found - SHARED)


def by_name(command):
    name = f"test_{Path(command).name}"
    return [f"{folder}/{name}" for folder in FOLDERS if (ROOT / "tests" / folder / name).is_file()]


def table(text):
    """Test files by command."""
    return {row["command"]: NAMED.findall(row["tests"]) for row in ROW.finditer(text)}


TABLE = table((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", commands())
def test_its_tests_are_found(command):
    assert by_name(command) or TABLE.get(command), "neither a test file of its name nor a row of the table"


def test_the_table_names_what_there_is():
    assert TABLE.keys() <= set(commands())
    assert [name for names in TABLE.values() for name in names if not (ROOT / "tests" / name).is_file()] == []


def test_the_table_repeats_no_name():
    assert [command for command, names in TABLE.items() if set(by_name(command)) & set(names)] == []


def test_what_a_row_is():
    text = "| `commands/a/b.py` | `tests/x/test_b.py`, `tests/test_c.py` |\n| `commands` | `tests/y.py` |\n"
    assert table(text) == {"a/b.py": ["x/test_b.py", "test_c.py"]}
