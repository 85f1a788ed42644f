"""The table of sessions: what the hold of a streamed model call is owned by, and what was acknowledged of it."""

from sqlalchemy import Column, Table

from billing_service.storage.schema.columns import Bytes, check, id_column, metadata, number_column, text_column

sessions = Table(
    "sessions",
    metadata,
    id_column("account_id", key=True),
    id_column("session_id", key=True),
    Column("token_hash", Bytes, nullable=False),
    number_column("epoch"),
    number_column("closed"),
    number_column("sequence"),
    number_column("charged"),
    text_column("usage"),
    text_column("estimate"),
    id_column("rate_card_version"),
    number_column("slice"),
    number_column("grace_us"),
    text_column("usage_key"),
    id_column("end_transaction_id"),
    Column("price_record", Bytes, nullable=True),
    check("epoch", "epoch >= 1"),
    check("closed", "closed IN (0, 1)"),
    check("sequence", "sequence >= 0"),
    check("charged", "charged >= 0"),
    check("slice", "slice >= 1"),
    check("grace_us", "grace_us >= 1"),
)
"""One row a session, whose id is its hold's. `charged` is the highest price that was acknowledged: what the end of the
hold captures, in microcredits. Only the owner of the newest `epoch` writes it. `closed` is written with the hold's end,
and only where `charged` is as it was read: no acknowledgement is lost between the two. `usage_key` is the key under
which the close charges. `price_record` is why `charged` is what it is (`domain.spending.price_records`); null before
the first tick. `end_transaction_id` is what the expiry of its hold charged it by; empty for nothing."""
