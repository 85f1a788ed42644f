"""What metering needs: salted texts and price records, keys bound to accounts, holds, business events."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_file("0004_metering")
