"""How far the feed of business events has come."""

from sqlalchemy import Column, Table

from billing_service.storage.schema.columns import Number, check, metadata, number_column

feed = Table(
    "feed",
    metadata,
    Column("row_number", Number, primary_key=True, autoincrement=False),
    number_column("last_position"),
    number_column("forgotten_position"),
    check("row_number", "row_number = 1"),
    check("positions", "forgotten_position >= 0 AND last_position >= forgotten_position"),
)
"""One row, which the migration makes, and which is locked by whoever gives positions to events. The newest position
that was given, and the newest whose event was forgotten."""
