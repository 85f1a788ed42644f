"""One reading of DATABASE_URL, and one place where each kind of connection is made."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOORS = {
    "asyncpg.connect": {"storage/postgres/connect.py"},
    "asyncpg.create_pool": {"storage/postgres/store.py"},
    "create_async_engine": {"storage/alembic_upgrade.py"},
    "aiosqlite.connect": {"storage/sqlite/connections.py"},
    "parse_database_url": {
        "settings/groups/database.py",
        "settings/values.py",
        "storage/migrate.py",
        "cli/dev_stack.py",
    },
    "parse_postgres_url": {"storage/database_url.py"},
}
"""Of each call, the files that may make it. Besides settings, two read the URL: `migrate` for tools that have no
settings, `billing dev` before it has made its own."""


def calls(package):
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), str(path.relative_to(ROOT / package))


def test_no_test_connects_by_a_reading_of_its_own():
    found = {path for name, path in calls("tests") if name == "asyncpg.connect"}
    assert found == set()


def test_nobody_else_connects_or_reads_the_url():
    found = {door: {path for name, path in calls("billing_service") if name == door} for door in DOORS}
    assert found == DOORS
