"""Deliveries of business events to the deployment's own backend, as signed webhooks."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_file("0008_webhooks")
