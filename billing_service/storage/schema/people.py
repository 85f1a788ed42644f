"""Tables about callers and customers: profiles, what is unique among them, API keys, the audit log."""

from sqlalchemy import Column, Index, Table

from billing_service.storage.schema.columns import Bytes, id_column, metadata, number_column, text_column

profiles = Table(
    "profiles",
    metadata,
    id_column("account_id", key=True),
    text_column("email"),
    text_column("name"),
    id_column("referral_code"),
    text_column("metadata"),
    id_column("stripe_customer_id"),
    number_column("customer_attempt"),
    number_column("customer_update_time_us", default=0),
    number_column("contact_version", default=0),
    number_column("contact_version_sent", default=0),
)
"""What is known about an account and seldom changes. `customer_update_time_us`: Stripe's time of the newest customer
event that counts. `contact_version` counts UpdateAccount's changes of e-mail and name, `contact_version_sent` is the
one that its Stripe customer has."""

referral_codes = Table("referral_codes", metadata, id_column("referral_code", key=True), id_column("account_id"))
stripe_customers = Table(
    "stripe_customers", metadata, id_column("stripe_customer_id", key=True), id_column("account_id")
)

api_keys = Table(
    "api_keys",
    metadata,
    id_column("key_id", key=True),
    id_column("caller"),
    id_column("scopes"),
    Column("secret_hash", Bytes, nullable=False),
    number_column("create_time_us"),
    number_column("expire_time_us", nullable=True),
    number_column("revoke_time_us", nullable=True),
    number_column("last_use_time_us", nullable=True),
    text_column("account_ids", default=""),
    text_column("spender_ids", default=""),
)
"""`account_ids` and `spender_ids`: JSON lists of the accounts and spenders that the key is bound to; empty: to none in
particular."""
Index("ix_api_keys_caller", api_keys.c.caller)

audit_records = Table(
    "audit_records",
    metadata,
    id_column("audit_id", key=True),
    number_column("create_time_us"),
    id_column("caller"),
    text_column("peer"),
    id_column("method"),
    id_column("account_id"),
    text_column("detail"),
)
"""Append-only."""
Index("ix_audit_records_account", audit_records.c.account_id, audit_records.c.audit_id)
