"""What real events and deployments need: marks, modes, snapshots of terms, and where credits that were taken back came
from."""

from billing_service.storage.migrations.sql_files import run_sql_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql_file("0002_real_ground")
