"""What a reader may rely on in every file of the repository."""

import ast
import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LINES_MAX = 300
FUNCTION_LINES_MAX = 50
COLUMNS_MAX = 120
"""Of a line. Of Python, ruff holds it."""
CLOSED_MIGRATIONS = ("0001_", "0002_", "0003_", "0004_")
"""They stay as they are, for ever."""
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "base", "misc"}
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(" + "|".join(["ho" + "me", "Us" + "ers", "ro" + "ot", "wo" + "rk"]) + r")/\w")
REGISTRIES = re.compile(
    "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs", "proxy" + r"\.golang"])
)
SECRETS = re.compile(r"\b(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}")
SQL = ROOT / "billing_service" / "storage" / "migrations" / "sql"


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


def generated(path):
    return "_pb2" in path.name


def written():
    """Text that people wrote."""
    for path in tracked():
        if not generated(path) and not path.name.startswith("constraints"):
            try:
                yield path, (ROOT / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def sources():
    return [(path, text) for path, text in written() if path.suffix == ".py"]


def lines_that_match(pattern):
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in written()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_there_is_something_to_check():
    assert len(sources()) > 50


def test_files_are_short():
    long = {str(path): lines for path, text in sources() if (lines := len(text.splitlines())) > LINES_MAX}
    assert long == {}


def can_be_broken(path, line):
    return not (path.suffix == ".md" and line.lstrip().startswith("|"))


def test_lines_are_short():
    """Of every file that people read: data and closed migrations aside, and rows of tables, which can't be broken."""
    judged = [
        (path, text)
        for path, text in written()
        if path.suffix not in {".py", ".json"}
        and not (path.suffix == ".sql" and path.name.startswith(CLOSED_MIGRATIONS))
    ]
    assert {".md", ".proto", ".yml", ".sh", ".toml", ".css"} <= {path.suffix for path, _ in judged}
    long = [
        f"{path}:{number}: {len(line)} columns"
        for path, text in judged
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > COLUMNS_MAX and can_be_broken(path, line)
    ]
    assert long == []


def test_functions_are_short():
    long = {}
    for path, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long[f"{path}:{node.name}"] = lines
    assert long == {}


def test_no_module_has_a_name_that_says_nothing():
    vague = [
        str(path)
        for path in tracked()
        if path.suffix == ".py" and VAGUE_NAMES & {part.strip("_") for part in (*path.parts[:-1], path.stem)}
    ]
    assert vague == []


@pytest.mark.parametrize(
    "pattern",
    [UNFINISHED, MACHINE_PATHS, REGISTRIES, SECRETS],
    ids=["unfinished", "machine paths", "registries", "secrets"],
)
def test_no_line_says(pattern):
    assert lines_that_match(pattern) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (UNFINISHED, "# " + "TO" + "DO: later"),
        (UNFINISHED, "X" * 3 + " odd"),
        (MACHINE_PATHS, "path = '/ho" + "me/someone/x'"),
        (REGISTRIES, "https://pypi" + ".org/simple"),
        (SECRETS, "sk_" + "live_" + "a1" * 12),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern, line):
    assert pattern.search(line)


def test_hooks_before_a_commit_fetch_nothing_and_are_steps_of_lint():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    steps = {line.strip().replace("$(BIN)/", ".venv/bin/").removesuffix(" .") for line in lint.splitlines()[1:]}
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude") in steps


def test_no_lock_file_of_a_machine_is_tracked():
    assert [
        str(path)
        for path in tracked()
        if path.name in {"uv.lock", "pylock.toml", ".env"} or path.suffix in {".db", ".pyc"}
    ] == []


OF_ONE_STORE = {"0001_keys_by_time.postgresql.sql"}
"""SQLite's keys have that order in the first file."""


def migrations():
    return sorted(path.stem.removeprefix("m") for path in (SQL.parent / "versions").glob("m*.py"))


@pytest.mark.parametrize("name", migrations())
def test_each_migration_is_written_for_both_stores(name):
    """The same tables, columns, constraints and indexes; only types, key order, triggers and how an older constraint is
    changed are each store's own."""

    def shape(dialect):
        text = (SQL / f"{name}.{dialect}.sql").read_text(encoding="utf-8")
        columns = re.findall(r"^  ([a-z_]+) (?:TEXT|INTEGER|BIGINT|BLOB|BYTEA)\b.*?(NOT NULL)?,?$", text, re.MULTILINE)
        names = re.findall(r"CREATE (?:TABLE|INDEX) (\w+)|(?<!DROP )(?<!TABLE transactions ADD )CONSTRAINT (\w+)", text)
        return columns, sorted(chain.from_iterable(names))

    assert shape("sqlite") == shape("postgresql")


def test_no_sql_file_is_left_over():
    files = {path.name for path in SQL.glob("*.sql")}
    assert (
        files == {f"{name}.{store}.sql" for name in migrations() for store in ("sqlite", "postgresql")} | OF_ONE_STORE
    )
