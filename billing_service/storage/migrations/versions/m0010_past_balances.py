"""Snapshots of balances, and when lots that were taken back would have ended: what past balances are read with."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql_file("0010_past_balances")
