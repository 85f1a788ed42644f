"""Disputes, and flags of purchases."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql_file("0007_disputes")
