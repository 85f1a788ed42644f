"""A migration is plain SQL, one file for each store, so that what runs is what was reviewed."""

from pathlib import Path

from alembic import op

_SEPARATOR = "-- next\n"
"""Between statements: triggers hold semicolons of their own."""


def run_sql_file(name: str) -> None:
    """Runs `<name>.<dialect>.sql`, statement by statement."""
    path = Path(__file__).parent / "sql" / f"{name}.{op.get_bind().dialect.name}.sql"
    for statement in path.read_text(encoding="utf-8").split(_SEPARATOR):
        op.get_bind().exec_driver_sql(statement)
