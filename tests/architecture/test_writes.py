"""Who may change rows: statements of the store alone, and whoever yields an UPDATE or DELETE looks at how many rows it
changed."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "billing_service"
SANDBOX = PACKAGE / "sandbox"
CHANGING = {"update", "delete", "bulk_update"}
RAW_SQL = re.compile(r"^\s*(UPDATE\s+\w+\s+SET|DELETE\s+FROM|INSERT\s+INTO)\b", re.IGNORECASE)


def trees():
    return {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
        if SANDBOX not in path.parents
    }


def called(node):
    """The last name of what a call calls; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def changing_names(sources):
    """Names of statements that are made of an UPDATE or a DELETE."""
    found = set()
    for tree in sources:
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and called(node.value) in {"writing", "bulk_update"}:
                makers = {called(node.value), *(called(inner) for inner in ast.walk(node.value))}
                if makers & CHANGING:
                    found |= {
                        target.attr if isinstance(target, ast.Attribute) else target.id for target in node.targets
                    }
    return found


def collected(node, parents):
    """Whether a call is only collected here, for a `Together`."""
    while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node = parents[node]
    return node.returns is not None and ast.unparse(node.returns) == "Iterator[Call]"


def unwatched(tree, names):
    """Lines that yield such a statement and use neither `expect` nor a comparison on the count."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    wrong = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Yield) or not isinstance(node.value, ast.Call) or collected(node, parents):
            continue
        if called(node.value) == "Together" and not any(called(other) == "expect" for other in ast.walk(tree)):
            wrong.append(node.lineno)
        function = node.value.func
        name = function.value if isinstance(function, ast.Attribute) and function.attr == "many" else function
        if (name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")) not in names:
            continue
        parent = parents[node]
        if isinstance(parent, ast.Assign):
            watched = any(
                called(other) == "expect"
                and isinstance(other.args[0], ast.Name)
                and other.args[0].id == parent.targets[0].id
                for other in ast.walk(tree)
            )
        else:
            watched = called(parent) == "expect" or isinstance(parent, ast.Compare)
        if not watched:
            wrong.append(node.lineno)
    return wrong


def test_every_change_of_rows_is_counted():
    sources = trees()
    names = changing_names(sources.values())
    assert {"UPDATE_ACCOUNTS", "SET_LIMITS", "FREE", "CLOSE", "_replace"} <= names
    wrong = {f"{path.relative_to(ROOT)}:{line}" for path, tree in sources.items() for line in unwatched(tree, names)}
    assert wrong == set()


@pytest.mark.parametrize(
    ("line", "is_watched"),
    [
        ("expect((yield FREE(1)), 1, 'free')", True),
        ("x = (yield FREE(1)) == 1", True),
        ("changed = yield FREE(1)\n    expect(changed, 1, 'free')", True),
        ("yield FREE(1)", False),
        ("changed = yield FREE(1)", False),
        ("yield FREE.many([1])", False),
        ("return (yield FREE(1))", False),
        ("counts = yield Together(calls)", False),
        ("for count in (yield Together(calls)):\n        expect(count, 1, 'free')", True),
    ],
)
def test_the_check_tells_watched_from_unwatched(line, is_watched):
    assert (unwatched(ast.parse(f"def work():\n    {line}\n"), {"FREE"}) == []) is is_watched


def test_statements_that_change_rows_are_made_in_the_store_alone():
    makers = {"update", "delete", "insert"}
    elsewhere = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees().items()
        if PACKAGE / "storage" not in path.parents
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("sqlalchemy")
        and makers & {name.name for name in node.names}
    ]
    assert elsewhere == []


def test_commands_yield_no_statements_of_their_own():
    """Rows are read and written by functions of the store, which alone know the order of a statement's parameters."""
    rooms = [PACKAGE / room for room in ("commands", "ledger", "stripe_events")]
    yielding = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees().items()
        if any(room in path.parents for room in rooms)
        for node in ast.walk(tree)
        if isinstance(node, ast.Yield) and node.value is not None
    ]
    assert yielding == []


def test_nobody_writes_sql_by_hand():
    """But migrations, which make the tables."""
    raw = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees().items()
        if "migrations" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and RAW_SQL.match(node.value)
    ]
    assert raw == []
