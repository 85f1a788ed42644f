"""One write path: idempotency keys are found, recorded and replayed by the ledger alone, and every command goes through
it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "billing_service"
KEY_ROWS = "billing_service.storage.rows.keys"
MAY_KEEP_KEYS = {
    "ledger/unit.py",
    "ledger/provider_step.py",
    "ledger/posting.py",
    "ledger/keys.py",
    "storage/rows/batches.py",
}
"""Posting finds and records the keys of a whole batch; `batches` reads them for it."""


def imports_of_keys(source):
    """Whether a module imports the rows of keys."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    whole = {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return KEY_ROWS in named | whole | plain


def calls(source, name):
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name
    ]


def sources():
    return {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


def test_only_the_ledger_keeps_keys():
    assert {name for name, source in sources().items() if imports_of_keys(source)} == MAY_KEEP_KEYS


def test_an_answer_is_replayed_in_one_place():
    replays = {
        name: len(found)
        for name, source in sources().items()
        if (
            found := [
                call
                for call in calls(source, "Answer")
                if any(getattr(word.value, "value", None) is True for word in call.keywords)
            ]
        )
    }
    assert replays == {"ledger/keys.py": 1}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"from {KEY_ROWS} import find_keys", True),
        ("from billing_service.storage.rows import keys", True),
        (f"import {KEY_ROWS}", True),
        ("from billing_service.storage.rows.ledger import expect", False),
        ("from billing_service.ledger.keys import Answer", False),
    ],
)
def test_the_check_sees_every_import(line, found):
    assert imports_of_keys(line) is found
