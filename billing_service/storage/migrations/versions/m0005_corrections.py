"""What was charged is explained and corrected: price records of sessions, corrections. Thresholds of low balances."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql_file("0005_corrections")
