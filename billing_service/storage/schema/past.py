"""Tables that past balances are read with."""

from sqlalchemy import Index, Table

from billing_service.storage.schema.columns import check, id_column, metadata, number_column, text_column

balance_snapshots = Table(
    "balance_snapshots",
    metadata,
    id_column("account_id", key=True),
    number_column("version", key=True),
    id_column("transaction_id"),
    number_column("reached_us"),
    number_column("debt"),
    number_column("held"),
    text_column("lots"),
    check("version", "version >= 1"),
    check("debt", "debt >= 0"),
    check("held", "held >= 0"),
)
"""What an account had after a version, `transaction_id` being its newest transaction then. `reached_us` is the latest
time of its transactions up to there. `lots`: a JSON object, what each lot had left that was not empty. Each can be
computed again from the entries."""
Index(
    "ix_balance_snapshots_reached",
    balance_snapshots.c.account_id,
    balance_snapshots.c.reached_us,
    balance_snapshots.c.version,
)

taken_back_lots = Table(
    "taken_back_lots",
    metadata,
    id_column("account_id", key=True),
    id_column("lot_id", key=True),
    number_column("expire_time_us", nullable=True),
)
"""When a lot would have ended that was taken back before; null: never. Lots that a program of an older schema took back
have no row."""
