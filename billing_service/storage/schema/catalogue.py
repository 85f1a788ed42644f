"""Tables of what things cost: versions of the rate card."""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from billing_service.storage.schema.columns import Bytes, check, id_column, metadata, number_column, text_column

rate_cards = Table(
    "rate_cards",
    metadata,
    id_column("version", key=True),
    number_column("position"),
    number_column("effective_time_us"),
    number_column("in_force_time_us"),
    number_column("create_time_us"),
    text_column("source"),
    number_column("markup_ppm"),
    number_column("entry_count"),
    Column("card_file", Bytes, nullable=False),
    UniqueConstraint("position"),
    check("position", "position > 0"),
)
"""Append-only. `position` counts them in the order of their creation. `card_file`: the card's JSON, compressed by
gzip."""
Index("ix_rate_cards_in_force", rate_cards.c.in_force_time_us, rate_cards.c.position, rate_cards.c.version)
