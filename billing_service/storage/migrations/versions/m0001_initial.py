"""The first schema: accounts, lots, the ledger, purchases, refunds, referrals, the inbox, keys and the audit log."""

from alembic import op

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_file("0001_initial")
    connection = op.get_bind()
    if connection.dialect.name == "postgresql" and not keeps_ranges(
        connection.exec_driver_sql("SELECT version()").scalar_one()
    ):
        # With the account first, each new row goes to a random page of its index: on a million transactions, a quarter
        # of the speed of batches. Where neighbouring rows live on one machine, all new rows would go to one of them
        # instead.
        run_sql_file("0001_keys_by_time")


def keeps_ranges(version: str) -> bool:
    """Whether a server with this `version()` keeps neighbouring rows on one machine: CockroachDB and YugabyteDB."""
    return "CockroachDB" in version or "-YB-" in version
