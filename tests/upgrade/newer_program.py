"""The program as it might be next: a copy of it with one migration more, which adds, fills and indexes, as migrations
do."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from billing_service.storage.migrations import versions
from tests.support.changed_program import copy_program
from tests.support.databases import connect_to, run_apart

DYING = Path(__file__).with_name("dying_migration.py")
OLDER = max(path.name[1:5] for path in Path(versions.__file__).parent.glob("m*.py"))
"""This program's newest migration."""
REVISION = f"{int(OLDER) + 1:04}"
VERSION = f'''"""Notes about accounts."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "{REVISION}"
down_revision = "{OLDER}"


def upgrade() -> None:
    run_sql_file("{REVISION}_notes")
'''
STATEMENTS = [
    "ALTER TABLE accounts ADD COLUMN note TEXT",
    "UPDATE accounts SET note = 'older than notes'",
    (
        "CREATE TABLE notes (account_id TEXT NOT NULL, position {integer} NOT NULL, CONSTRAINT pk_notes PRIMARY KEY "
        "(account_id, position)){end}"
    ),
    "INSERT INTO notes (account_id, position) SELECT account_id, version FROM accounts",
    "CREATE INDEX ix_notes_position ON notes (position)",
    "CREATE INDEX ix_transactions_amount ON transactions (amount)",
]
KINDS = {"sqlite": {"integer": "INTEGER", "end": " STRICT"}, "postgresql": {"integer": "BIGINT", "end": ""}}


class NewerProgram:
    """Its code, and commands that run it."""

    def __init__(self, directory):
        self.python_path = copy_program(directory)
        migrations = directory / "billing_service" / "storage" / "migrations"
        (migrations / "versions" / f"m{REVISION}_notes.py").write_text(VERSION)
        for dialect, kind in KINDS.items():
            text = "\n-- next\n".join(STATEMENTS).format(**kind)
            (migrations / "sql" / f"{REVISION}_notes.{dialect}.sql").write_text(text)

    @property
    def environment(self):
        return {**os.environ, "PYTHONPATH": self.python_path}

    def migrate(self, database):
        """`billing migrate` of the newer program: (exit code, all it said)."""
        return run_migrate(database, self.environment)

    def dying_migration(self, database):
        """A process that migrates as often as it is told to, and dies where it is told to."""
        return subprocess.Popen(
            [sys.executable, str(DYING), database.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )


def run_migrate(database, environment=None):
    """`billing migrate`: (exit code, all it said)."""
    env = {
        name: value
        for name, value in (environment or os.environ).items()
        if not name.startswith(("BILLING_", "STRIPE_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "billing_service.cli", "migrate"],
        env=env | {"DATABASE_URL": database.url},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


SQLITE_SCHEMA = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
POSTGRES_SCHEMA = """
    SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2, 3"""
REVISIONS = "SELECT version_num FROM alembic_version"


def query(database, statement):
    """Rows, from beside whoever uses the database."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(f"file:{database.path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()
    return run_apart(_fetch(database.url, statement))


async def _fetch(url, statement):
    connection = await connect_to(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


def schema(database):
    """All that migrations make, and which were applied."""
    return query(database, SQLITE_SCHEMA if database.store == "sqlite" else POSTGRES_SCHEMA), query(database, REVISIONS)
