"""How far the feed of business events has come."""

from sqlalchemy import Column, Index, Table

from billing_service.storage.schema.columns import (
    Number,
    check,
    id_column,
    metadata,
    number_column,
    text_column,
)

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

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("row_number", Number, primary_key=True, autoincrement=False),
    number_column("position"),
    number_column("start_time_us"),
    id_column("lease_owner"),
    number_column("lease_until_us"),
    number_column("failures"),
    number_column("retry_time_us"),
    check("row_number", "row_number = 1"),
    check("position", "position >= 0"),
    check("failures", "failures >= 0"),
)
"""One row, which the migration makes. Events up to `position` were delivered or have a row of `webhook_deliveries`.
`start_time_us` is when deliveries began; 0: they have not. One process at a time delivers: `lease_owner`, until
`lease_until_us`. `failures` counts deliveries that failed since the last that did not; where it is large, nothing is
tried before `retry_time_us`."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    id_column("account_id", key=True),
    id_column("event_id", key=True),
    number_column("position"),
    number_column("state"),
    number_column("attempt_count"),
    number_column("first_time_us"),
    number_column("retry_time_us"),
    text_column("error"),
    check("state", "state IN (1, 2)"),
    check("attempt_count", "attempt_count >= 0"),
)
"""Events that were not delivered at once. State 1 waits for `retry_time_us`, or behind an earlier event of its account
(then that is the end of time). State 2 is a dead letter: nothing tries it any more, unless an operator asks for it."""
Index(
    "ix_webhook_deliveries_due",
    webhook_deliveries.c.state,
    webhook_deliveries.c.retry_time_us,
    webhook_deliveries.c.position,
)
Index("ix_webhook_deliveries_position", webhook_deliveries.c.position)
