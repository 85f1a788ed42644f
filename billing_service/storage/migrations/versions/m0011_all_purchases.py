"""An index by time over the purchases of all accounts."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_file("0011_all_purchases")
