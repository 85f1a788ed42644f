"""Comparison with Stripe: how far it has come, and what is still open."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql_file("0009_reconciliation")
