"""The first schema: accounts, lots, the ledger, purchases, refunds, referrals, the inbox, keys and the audit log."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_file("0001_initial")
