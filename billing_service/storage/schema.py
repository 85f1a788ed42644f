"""The tables, the same on SQLite and PostgreSQL.

Times are microseconds since 1970 UTC, amounts whole microcredits, flags 0 or 1, JSON is text: plain integers and text
behave alike on every database. Names of constraints are fixed, for migrations and for reading errors.

Where an account's rows live together matters on a distributed database, where rows of one time live together matters on
SQLite's single file; `account_owned_key` gives each store its order over the same columns. What must be unique across
accounts has a small table of its own, keyed by that value.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from billing_service.domain.amounts import BALANCE_MAX

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

Id: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared and ordered byte by byte, on both stores."""
Number: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits; STRICT tables of SQLite know only the name INTEGER."""
Bytes: TypeEngine[bytes] = LargeBinary().with_variant(LargeBinary(), "sqlite")


def _id(name: str, *, key: bool = False, nullable: bool = False) -> Column[str]:
    return Column(name, Id, primary_key=key, nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Number, nullable=nullable)


def _check(name: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=name)


accounts = Table(
    "accounts",
    metadata,
    _id("account_id", key=True),
    _number("version"),
    _id("last_transaction_id"),
    _number("balance"),
    _number("debt"),
    _number("set_aside"),
    _number("overdraft_limit"),
    _number("frozen"),
    _number("create_time_us"),
    _check("version", "version >= 0"),
    _check("balance", f"balance >= -debt AND balance <= {BALANCE_MAX}"),
    _check("debt", f"debt >= 0 AND debt <= {BALANCE_MAX}"),
    _check("set_aside", "set_aside >= 0"),
    _check("overdraft_limit", "overdraft_limit >= 0"),
    _check("frozen", "frozen IN (0, 1)"),
)
"""One row an account, locked first by whatever changes the account. Kept short: it is written on every movement."""

profiles = Table(
    "profiles",
    metadata,
    _id("account_id", key=True),
    _text("email"),
    _text("name"),
    _id("referral_code"),
    _text("metadata"),
    _id("stripe_customer_id"),
    _number("customer_attempt"),
)
"""What is known about an account and seldom changes."""

referral_codes = Table("referral_codes", metadata, _id("referral_code", key=True), _id("account_id"))
stripe_customers = Table("stripe_customers", metadata, _id("stripe_customer_id", key=True), _id("account_id"))

lots = Table(
    "lots",
    metadata,
    _id("account_id", key=True),
    _id("lot_id", key=True),
    _number("category"),
    _number("priority"),
    _number("amount"),
    _number("remaining"),
    _number("is_open"),
    _number("create_time_us"),
    _number("effective_time_us"),
    _number("expire_time_us", nullable=True),
    _id("source_id"),
    _check("category", "category IN (1, 2, 3)"),
    _check("priority", "priority BETWEEN 0 AND 100"),
    _check("amount", "amount > 0"),
    _check("remaining", "remaining >= 0 AND remaining <= amount"),
    _check("is_open", "is_open = CASE WHEN remaining > 0 THEN 1 ELSE 0 END"),
)
"""`is_open` repeats `remaining > 0` so that an index on open lots changes only when a lot opens or empties."""
Index("ix_lots_open", lots.c.account_id, sqlite_where=lots.c.is_open == 1, postgresql_where=lots.c.is_open == 1)
Index(
    "ix_lots_expiry",
    lots.c.expire_time_us,
    sqlite_where=(lots.c.is_open == 1) & lots.c.expire_time_us.is_not(None),
    postgresql_where=(lots.c.is_open == 1) & lots.c.expire_time_us.is_not(None),
)

transactions = Table(
    "transactions",
    metadata,
    _id("account_id", key=True),
    _id("transaction_id", key=True),
    _number("version"),
    _id("previous_id"),
    _number("kind"),
    _number("amount"),
    _number("balance_after"),
    _number("create_time_us"),
    _id("source_id"),
    _id("caller"),
    _text("description"),
    _text("metadata"),
    _check("version", "version >= 1"),
    _check("kind", "kind BETWEEN 1 AND 10"),
)
"""Append-only. An account's history is the chain from accounts.last_transaction_id along previous_id."""

entries = Table(
    "entries",
    metadata,
    _id("account_id", key=True),
    _id("transaction_id", key=True),
    Column("position", Number, primary_key=True),
    _id("source"),
    _id("destination"),
    _number("amount"),
    _check("amount", "amount > 0"),
    _check("places", "source <> destination"),
)
"""Append-only. One row leaves one place and arrives in another: the ledger sums to zero because no other row can be written."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _id("account_id", key=True),
    _id("idempotency_key", key=True),
    _id("scope", key=True),
    Column("fingerprint", Bytes, nullable=False),
    Column("reply", Bytes, nullable=True),
    _id("resource_id"),
    _number("create_time_us"),
)
"""Written with the effect, in its transaction. `scope` is caller and method. No reply yet: the effect has begun (a purchase or
refund whose Stripe call is not known to have ended), and `resource_id` says which one to resume."""

deduction_reversals = Table(
    "deduction_reversals",
    metadata,
    _id("account_id", key=True),
    _id("transaction_id", key=True),
    _number("reversed"),
    _check("reversed", "reversed > 0"),
)
"""How much of a deduction was given back so far."""

purchases = Table(
    "purchases",
    metadata,
    _id("account_id", key=True),
    _id("purchase_id", key=True),
    _id("package_code"),
    _text("name"),
    _text("description"),
    _number("credits"),
    _number("amount_minor"),
    _id("currency"),
    _id("status"),
    _number("attempt"),
    _id("checkout_session_id"),
    _text("checkout_url"),
    _id("payment_intent_id"),
    _number("paid_minor"),
    _number("refunded_minor"),
    _number("disputed_minor"),
    _number("reversed"),
    _id("lot_id"),
    _text("success_url"),
    _text("cancel_url"),
    _text("metadata"),
    _number("create_time_us"),
    _number("expire_time_us"),
    _number("complete_time_us", nullable=True),
    _check("status", "status IN ('PENDING', 'AWAITING_FUNDS', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED')"),
    _check("credits", "credits > 0"),
    _check("amount_minor", "amount_minor > 0"),
    _check("paid_minor", "paid_minor >= 0"),
    _check("refunded_minor", "refunded_minor >= 0"),
    _check("reversed", "reversed >= 0 AND reversed <= credits"),
)
"""`reversed` is what reversals have taken of the credits, so that the target is always compared with one number. `attempt`
numbers the tries at Stripe whose stored failure would be replayed for their key."""

purchase_references = Table(
    "purchase_references",
    metadata,
    _id("reference", key=True),
    _id("account_id"),
    _id("purchase_id"),
)
"""Every id by which the world names a purchase (pur_, cs_, pi_, re_): its primary key is what makes a grant happen once."""

refunds = Table(
    "refunds",
    metadata,
    _id("account_id", key=True),
    _id("refund_id", key=True),
    _id("purchase_id"),
    _number("amount_minor"),
    _id("currency"),
    _id("status"),
    _number("attempt"),
    _number("requires_settlement"),
    _number("reversed"),
    _number("debt"),
    _id("stripe_refund_id"),
    _text("reason"),
    _number("create_time_us"),
    _check("status", "status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED')"),
    _check("amount_minor", "amount_minor > 0"),
)
Index("ix_refunds_purchase", refunds.c.account_id, refunds.c.purchase_id)
"""`requires_settlement`: its credits still wait in the place `set_aside`."""

referrals = Table(
    "referrals",
    metadata,
    _id("account_id", key=True),
    _id("referrer_account_id"),
    _id("state"),
    _number("bonus"),
    _id("purchase_id"),
    _id("referee_lot_id"),
    _id("referrer_lot_id"),
    _number("referee_taken"),
    _number("referrer_taken"),
    _number("create_time_us"),
    _number("reward_time_us", nullable=True),
    _check("state", "state IN ('PENDING', 'QUALIFIED', 'REWARDED', 'CLOSED', 'REVERSED')"),
    _check("self", "account_id <> referrer_account_id"),
)
"""Keyed by the referred account: nobody is referred twice."""
Index("ix_referrals_referrer", referrals.c.referrer_account_id)

stripe_events = Table(
    "stripe_events",
    metadata,
    _id("event_id", key=True),
    _id("event_type"),
    _id("subject"),
    _id("status"),
    Column("payload", Bytes, nullable=False),
    _number("receive_time_us"),
    _number("process_time_us"),
    _number("attempt_count"),
    _text("error"),
    _check("status", "status IN ('PROCESSED', 'IGNORED', 'QUARANTINED', 'FAILED')"),
)
"""The inbox. `subject` is the PaymentIntent that an event waits for when no purchase knows it yet; else empty."""
Index("ix_stripe_events_receive", stripe_events.c.receive_time_us, stripe_events.c.event_id)
Index(
    "ix_stripe_events_subject",
    stripe_events.c.subject,
    sqlite_where=stripe_events.c.subject != "",
    postgresql_where=stripe_events.c.subject != "",
)

api_keys = Table(
    "api_keys",
    metadata,
    _id("key_id", key=True),
    _id("caller"),
    _id("scopes"),
    Column("secret_hash", Bytes, nullable=False),
    _number("create_time_us"),
    _number("expire_time_us", nullable=True),
    _number("revoke_time_us", nullable=True),
    _number("last_use_time_us", nullable=True),
)
Index("ix_api_keys_caller", api_keys.c.caller)

audit_records = Table(
    "audit_records",
    metadata,
    _id("audit_id", key=True),
    _number("create_time_us"),
    _id("caller"),
    _text("peer"),
    _id("method"),
    _id("account_id"),
    _text("detail"),
)
"""Append-only."""
Index("ix_audit_records_account", audit_records.c.account_id, audit_records.c.audit_id)

APPEND_ONLY = ("transactions", "entries", "audit_records")
"""Triggers refuse to change or delete their rows."""

TIME_LED_KEYS = {
    "transactions": ("transaction_id", "account_id"),
    "entries": ("transaction_id", "position", "account_id"),
    "idempotency_keys": ("idempotency_key", "account_id", "scope"),
}
"""SQLite's order of these primary keys: new rows go to the end of one file instead of all over it. Other stores lead with
account_id, so that an account lives on one shard."""
