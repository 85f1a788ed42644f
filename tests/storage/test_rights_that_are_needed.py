"""The rights that a role is asked for are those that the statements need, no more and no less, and those that
docs/database.md grants."""

import gc
import importlib
import pkgutil
import re
from pathlib import Path

from billing_service import storage
from billing_service.storage.postgres.rights import READING, SERVING
from billing_service.storage.schema import APPEND_ONLY, metadata
from billing_service.storage.statements import Statement, compile_statement, postgresql_dialect

DOCUMENT = Path(__file__).parents[2] / "docs" / "database.md"
NEVER_RUN = {("audit_records", "UPDATE"), ("rate_cards", "UPDATE")}
"""Every table of records has a statement that replaces one; nobody runs that of the audit log, and a trigger would
refuse it."""
NEEDED_BY = (
    ("INSERT", re.compile(r"\bINSERT INTO (\w+)")),
    ("UPDATE", re.compile(r"\bUPDATE (\w+) SET\b")),
    ("UPDATE", re.compile(r"\bINSERT INTO (\w+)[^;]*\bDO UPDATE SET\b")),
    ("UPDATE", re.compile(r"\bFOR (?:NO KEY )?UPDATE OF (\w+)")),
    ("UPDATE", re.compile(r".*\bFROM (\w+).*?\bFOR UPDATE\b(?! OF)", re.DOTALL)),  # the last before it
    ("UPDATE", re.compile(r"\bLOCK TABLE (\w+)")),
    ("DELETE", re.compile(r"\bDELETE FROM (\w+)")),
    ("SELECT", re.compile(r"\b(?:FROM|JOIN) (\w+)")),
)


def statements():
    for module in pkgutil.walk_packages(storage.__path__, f"{storage.__name__}."):
        if ".migrations." not in module.name:
            importlib.import_module(module.name)
    gc.unfreeze()  # what was frozen is listed nowhere
    try:
        objects = gc.get_objects()
    finally:
        gc.freeze()
    return [found for found in objects if isinstance(found, Statement) and not found.name.startswith("test")]


def needed(sql):
    """(table, right) for all that a statement does; a write that looks at rows, or answers with them, reads them
    too."""
    pairs = {(table, right) for right, pattern in NEEDED_BY for table in pattern.findall(sql)}
    assert "FOR UPDATE" not in sql or "UPDATE" in {right for _, right in pairs}
    pairs |= {(table, "SELECT") for table, right in pairs if right in {"UPDATE", "DELETE"}}
    return {(table, right) for table, right in pairs if table in metadata.tables}


def granted(rights):
    return {(table, right) for table, granted in rights.items() for right in granted}


def test_the_rights_are_those_that_the_statements_need():
    found = {}
    for statement in statements():
        for pair in needed(compile_statement(statement, postgresql_dialect()).sql):
            found.setdefault(pair, statement.name)
    believed = granted(SERVING) - {("alembic_version", "SELECT")}
    assert set(found) - NEVER_RUN - believed == set(), "needed by a statement, and not asked for"
    assert believed - set(found) == set(), "asked for, and needed by no statement"


def test_every_table_is_read_and_what_is_never_changed_stays_so():
    assert set(SERVING) == set(READING) == {*metadata.tables, "alembic_version"}
    assert all(SERVING[table] == ("SELECT", "INSERT") for table in APPEND_ONLY)


def test_the_document_grants_them():
    block = DOCUMENT.read_text(encoding="utf-8").partition("<!-- grants -->")[2].partition("<!-- /grants -->")[0]
    found = re.findall(r"GRANT ([A-Z, ]+) ON ([a-z_,\s]+) TO billing;", block)
    written = {
        (table, right)
        for rights, tables in found
        for table in re.split(r",\s+", tables)
        for right in rights.split(", ")
    }
    assert written == granted(SERVING)
