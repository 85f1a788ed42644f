"""How the stores find rows: by a key, however many there are. None but a search reads a table to its end."""

import importlib
import inspect
import json
import pkgutil
import sqlite3
from contextlib import closing

import pytest

from billing_service.storage import rows
from billing_service.storage.postgres.session import PLANNING
from billing_service.storage.statements import Statement, compile_statement, postgresql_dialect, sqlite_dialect
from tests.support.databases import connect_to

FEW_ROWS = {"api_keys", "ix_api_keys_caller"}
"""There is a limit to them."""
POSTGRES_ALONE = {"ledger_statements.LOCK_UNCHANGED_ACCOUNTS"}
UNPLANNED = {"access.LOCK_KEYS"}
"""It locks a table."""
FILTERED = {
    "events.LIST_OF_STATUS": "status",
    "access.LIST_AUDIT_OF_ACCOUNT": "account_id",
    "purchases.LIST_PURCHASES": "account_id",
    "refunds.LIST_REFUNDS": "account_id",
    "refunds.LIST_REFUNDS_OF_PURCHASE": "account_id",
}
"""Pages of what has something in common: whatever has not must not be looked at, there may be a million times as
many."""
MANY = """
INSERT INTO accounts SELECT number::text, 0, '', '', 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, NULL, 0
FROM generate_series(1, 20000) AS number;
INSERT INTO lots SELECT number::text, number::text, 1, 0, 1, 1, 1, 0, 0, NULL, '', 0, '', 0
FROM generate_series(1, 20000) AS number;
ANALYZE accounts, lots
"""


def _statements():
    """Each under the module that makes it; others import it."""
    modules = [importlib.import_module(each.name) for each in pkgutil.iter_modules(rows.__path__, f"{rows.__name__}.")]
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": each
        for module in modules
        for name, each in vars(module).items()
        if isinstance(each, Statement) and f"\n{name} = " in inspect.getsource(module)
    }


STATEMENTS = _statements()


def plan_of_sqlite(path, statement):
    """Its steps, in SQLite's words."""
    compiled = compile_statement(statement, sqlite_dialect())
    with closing(sqlite3.connect(path)) as connection:
        return [
            row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", [None] * len(compiled.order))
        ]


def whole_tables_of_sqlite(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return {step.split()[1] for step in plan_of_sqlite(path, statement) if step.startswith("SCAN ")} & tables


async def plan_of_postgres(connection, statement):
    """Its nodes, the outer ones first."""
    compiled = compile_statement(statement, postgresql_dialect())
    await connection.execute(f"PREPARE tested AS {compiled.sql}")
    nothing = ", ".join(["NULL"] * len(set(compiled.order)))
    (plan,) = await connection.fetchrow(f"EXPLAIN (FORMAT JSON) EXECUTE tested{f'({nothing})' if nothing else ''}")
    await connection.execute("DEALLOCATE tested")
    return list(_nodes(json.loads(plan)[0]["Plan"]))


def _nodes(node):
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def whole_tables_of_postgres(nodes):
    """Tables, or indexes of them. A bitmap's heap is read as its index says."""
    return {
        node.get("Relation Name", node.get("Index Name"))
        for node in nodes
        if "Index Cond" not in node
        and node["Node Type"] not in ("ModifyTable", "LockRows", "Bitmap Heap Scan")
        and ("Relation Name" in node or "Index Name" in node)
    }


def test_all_that_is_stored_is_read_and_written_by_these():
    assert len(STATEMENTS) > 60
    assert {*POSTGRES_ALONE, *UNPLANNED, *FILTERED} <= STATEMENTS.keys()
    assert {name for name, each in STATEMENTS.items() if each.searches} == {
        f"verification.{name}"
        for name in ("COUNTS", "TOTAL", "MISCOUNTED", "LOOSE_ENTRIES", "LOOSE_LOTS", "LOOSE_EVENTS")
    }, "searches are for verification: they take as long as they take, and no call waits for one"


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - POSTGRES_ALONE))
def test_no_table_is_read_to_its_end_on_sqlite(sqlite_template, name):
    assert STATEMENTS[name].searches or whole_tables_of_sqlite(sqlite_template, STATEMENTS[name]) <= FEW_ROWS


@pytest.mark.parametrize("name", FILTERED)
def test_a_filter_is_a_key_on_sqlite(sqlite_template, name):
    (step,) = plan_of_sqlite(sqlite_template, STATEMENTS[name])
    assert step.startswith("SEARCH ")
    assert f"({FILTERED[name]}=?" in step


@pytest.mark.parametrize("name", ["keys.FIND", "batches.READ_BATCH", "batches.LOCK_BATCH"])
def test_a_key_is_looked_up_by_all_that_makes_it_one_on_sqlite(sqlite_template, name):
    """Where callers number their keys, as many accounts have a `1` as there are accounts."""
    (step,) = [step for step in plan_of_sqlite(sqlite_template, STATEMENTS[name]) if "idempotency_keys" in step]
    assert step.endswith("(idempotency_key=? AND account_id=? AND scope=?)")


@pytest.mark.parametrize("store_name", ["postgresql"])
async def test_no_table_is_read_to_its_end_on_postgresql(database):
    connection = await connect_to(database.url, **PLANNING)
    try:
        await connection.execute(MANY)
        plans = {
            name: await plan_of_postgres(connection, each) for name, each in STATEMENTS.items() if name not in UNPLANNED
        }
        await connection.execute("DELETE FROM lots; DELETE FROM accounts")
    finally:
        await connection.close()
    found = {name: whole_tables_of_postgres(plan) for name, plan in plans.items() if not STATEMENTS[name].searches}
    assert {name: tables for name, tables in found.items() if not tables <= FEW_ROWS} == {}
    for name, column in FILTERED.items():
        assert any(f"({column} = " in node.get("Index Cond", "") for node in plans[name]), name
