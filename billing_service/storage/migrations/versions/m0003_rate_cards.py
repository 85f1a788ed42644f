"""Rate cards: versions of all prices of usage, which never change."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql_file("0003_rate_cards")
