"""PostgreSQL keeps new transactions, entries and keys in the order of time, as SQLite does.

With the account first, each new row went to a random page of its index: with a million transactions a batch was a quarter slower than
on an empty ledger. Databases that keep rows in ranges stay as they are: there, all new rows would go to one range, on one machine.
"""

from alembic import op

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql" and not keeps_ranges(connection.exec_driver_sql("SELECT version()").scalar_one()):
        run_sql_file("0002_keys_by_time")


def keeps_ranges(version: str) -> bool:
    """Whether a server with this `version()` keeps neighbouring rows on one machine: CockroachDB and YugabyteDB."""
    return "CockroachDB" in version or "-YB-" in version
