"""The tables, the same on SQLite and PostgreSQL.

Times are microseconds since 1970 UTC, amounts whole microcredits, flags 0 or 1, JSON is text: plain integers and text
behave alike on every database. Names of constraints are fixed, for migrations and for reading errors.

Every key of what belongs to an account holds `account_id`, so that it distributes. It also leads, so that an account's
rows live together on databases that keep rows in ranges; `TIME_LED_KEYS` says where SQLite and PostgreSQL order the
same columns otherwise. What must be unique across accounts has a small table of its own, keyed by that value.
"""

from billing_service.storage.schema.catalogue import rate_cards
from billing_service.storage.schema.columns import Bytes, Id, Number, metadata
from billing_service.storage.schema.feed import feed, webhook_deliveries, webhook_endpoint
from billing_service.storage.schema.ledger import (
    accounts,
    corrections,
    deduction_reversals,
    entries,
    holds,
    idempotency_keys,
    limited_charges,
    lots,
    outbox,
    spend_limits,
    transactions,
)
from billing_service.storage.schema.past import balance_snapshots, taken_back_lots
from billing_service.storage.schema.people import api_keys, audit_records, profiles, referral_codes, stripe_customers
from billing_service.storage.schema.sales import (
    deployment,
    disputes,
    purchase_references,
    purchases,
    reconciliation,
    referrals,
    refunds,
    stripe_events,
)
from billing_service.storage.schema.sessions import sessions

APPEND_ONLY = ("transactions", "entries", "audit_records", "rate_cards")
"""Triggers refuse to change or delete their rows."""

TIME_LED_KEYS = {
    "transactions": ("transaction_id", "account_id"),
    "entries": ("transaction_id", "position", "account_id"),
    "idempotency_keys": ("idempotency_key", "account_id", "scope"),
}
"""SQLite's and PostgreSQL's order of these primary keys. Rows of our ids, and of keys that are ordered by time, go to
the end of an index instead of all over it. CockroachDB and YugabyteDB lead with account_id: there, the end of an index
is one range, on one machine."""

__all__ = [
    "APPEND_ONLY",
    "TIME_LED_KEYS",
    "Bytes",
    "Id",
    "Number",
    "accounts",
    "api_keys",
    "audit_records",
    "balance_snapshots",
    "corrections",
    "deduction_reversals",
    "deployment",
    "disputes",
    "entries",
    "feed",
    "holds",
    "idempotency_keys",
    "limited_charges",
    "lots",
    "metadata",
    "outbox",
    "profiles",
    "purchase_references",
    "purchases",
    "rate_cards",
    "reconciliation",
    "referral_codes",
    "referrals",
    "refunds",
    "sessions",
    "spend_limits",
    "stripe_customers",
    "stripe_events",
    "taken_back_lots",
    "transactions",
    "webhook_deliveries",
    "webhook_endpoint",
]
