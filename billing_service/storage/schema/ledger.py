"""Tables of the ledger: accounts, lots, transactions, entries, keys."""

from sqlalchemy import Column, Index, Table, literal_column

from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.entries import TransactionKind
from billing_service.storage.schema.columns import Bytes, Number, check, id_column, metadata, number_column, text_column

accounts = Table(
    "accounts",
    metadata,
    id_column("account_id", key=True),
    number_column("version"),
    id_column("last_transaction_id"),
    Column("last_hash", Bytes, nullable=False),
    number_column("balance"),
    number_column("debt"),
    number_column("set_aside"),
    number_column("overdraft_limit"),
    number_column("frozen"),
    number_column("create_time_us"),
    number_column("debt_max", default=-1),
    number_column("caught_up_version", default=0),
    number_column("held", default=0),
    number_column("holds_open", default=0),
    number_column("holds_end_us", nullable=True),
    number_column("last_time_us", default=0),
    number_column("limits_version", default=0),
    number_column("low_balance", default=0),
    check("version", "version >= 0"),
    check("balance", f"balance >= -debt AND balance <= {BALANCE_MAX}"),
    check("debt", f"debt >= 0 AND debt <= {BALANCE_MAX}"),
    check("set_aside", "set_aside >= 0"),
    check("overdraft_limit", "overdraft_limit >= 0"),
    check("frozen", "frozen IN (0, 1)"),
    check("debt_max", "debt_max >= -1"),
    check("caught_up_version", "caught_up_version >= 0"),
    check("held", "held >= 0"),
    check("holds_open", "holds_open >= 0"),
    check("low_balance", "low_balance >= 0"),
)
"""One row an account, locked first by whatever changes the account. Kept short: it is written on every movement.
`debt_max` bounds what ALLOW_DEBT may bring the debt to; -1: as the settings say. `caught_up_version` is the version as
of which `lots.expired`, `lots.ended_to` and the parts of `purchases.reversed` are kept: a program of an older schema
leaves it behind, and whoever locks the account next catches up. `held` is what its open holds reserve, `holds_open` how
many there are. No open hold ends before `holds_end_us`; null: there is none. `last_time_us` is when its last
transaction was made, and none is made before it. Where less than `low_balance` is available, it is told; 0: never."""
Index(
    "ix_accounts_holds_end",
    accounts.c.holds_end_us,
    sqlite_where=accounts.c.holds_end_us.is_not(None),
    postgresql_where=accounts.c.holds_end_us.is_not(None),
)

lots = Table(
    "lots",
    metadata,
    id_column("account_id", key=True),
    id_column("lot_id", key=True),
    number_column("category"),
    number_column("priority"),
    number_column("amount"),
    number_column("remaining"),
    number_column("is_open"),
    number_column("create_time_us"),
    number_column("effective_time_us"),
    number_column("expire_time_us", nullable=True),
    id_column("source_id"),
    number_column("expired", default=0),
    id_column("ended_to", default=""),
    number_column("held", default=0),
    check("category", "category IN (1, 2, 3)"),
    check("priority", "priority BETWEEN 0 AND 100"),
    check("amount", "amount > 0"),
    check("remaining", "remaining >= 0 AND remaining <= amount"),
    check("is_open", "is_open = CASE WHEN remaining > 0 THEN 1 ELSE 0 END"),
    check("expired", "expired >= 0"),
    check("held", "held >= 0"),
)
"""`is_open` repeats `remaining > 0` so that an index on open lots changes only when a lot opens or empties. `expired`
is what the lot lost to its expiry. `ended_to` names the place that a lot was taken back to before its time, and where
what returns to it goes at once. `held` is what open holds reserve of it: it has left `remaining`."""
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
    id_column("account_id", key=True),
    id_column("transaction_id", key=True),
    number_column("version"),
    id_column("previous_id"),
    number_column("kind"),
    number_column("amount"),
    number_column("balance_after"),
    number_column("create_time_us"),
    id_column("source_id"),
    id_column("caller"),
    text_column("description"),
    text_column("metadata"),
    Column("hash", Bytes, nullable=False),
    number_column("chain_format", default=1),
    Column("salt", Bytes, nullable=True),
    Column("erased_digest", Bytes, nullable=True),
    Column("price_record", Bytes, nullable=True),
    number_column("effective_time_us", default=0),
    check("version", "version >= 1"),
    check("kind", "kind BETWEEN 1 AND 13"),
    check("chain_format", "chain_format >= 1"),
)
"""Append-only. An account's history is the chain from accounts.last_transaction_id along previous_id. `chain_format`
says which canonical text the hash is of (`domain.ledger.chain`): 1 where a program of an older schema wrote the row. A
row with texts has a `salt`. Where texts were erased, `erased_digest` is what they were hashed to. `price_record` is why
a charge is what it is."""
_IS_REVERSAL = transactions.c.kind == literal_column(str(int(TransactionKind.DEDUCTION_REVERSAL)))
Index(
    "ix_transactions_reversals",
    transactions.c.account_id,
    transactions.c.source_id,
    sqlite_where=_IS_REVERSAL,
    postgresql_where=_IS_REVERSAL,
)
"""Reversals of one deduction. No other transaction is in it."""

entries = Table(
    "entries",
    metadata,
    id_column("account_id", key=True),
    id_column("transaction_id", key=True),
    Column("position", Number, primary_key=True),
    id_column("source"),
    id_column("destination"),
    number_column("amount"),
    check("amount", "amount > 0"),
    check("places", "source <> destination"),
)
"""Append-only. One row leaves one place and arrives in another: the ledger sums to zero because no other row can be
written."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    id_column("account_id", key=True),
    id_column("idempotency_key", key=True),
    id_column("scope", key=True),
    Column("fingerprint", Bytes, nullable=False),
    Column("reply", Bytes, nullable=True),
    id_column("resource_id"),
    number_column("create_time_us"),
)
"""Written with the effect, in its transaction. `scope` is caller and method. No reply yet: the effect has begun (a
purchase or refund whose Stripe call is not known to have ended), and `resource_id` says which one to resume."""

spend_limits = Table(
    "spend_limits",
    metadata,
    id_column("account_id", key=True),
    id_column("spender_id", key=True),
    Column("spend_window", Number, primary_key=True),
    number_column("amount_max"),
    number_column("used"),
    number_column("window_start_us"),
    number_column("set_time_us"),
    check("spend_window", "spend_window IN (1, 2, 3)"),
    check("amount_max", "amount_max >= 0"),
    check("used", "used >= 0"),
)
"""What a spender may charge to an account in a window, and what it has charged. An empty spender is the account itself.
Written with the charge, under `accounts.limits_version`, which counts their changes."""

limited_charges = Table(
    "limited_charges",
    metadata,
    id_column("account_id", key=True),
    id_column("transaction_id", key=True),
    text_column("spender_ids"),
    number_column("count_time_us"),
)
"""The spenders with limits that a charge counted for, as a JSON list, and when it counted: a capture counted with its
hold. So a reversal gives back where the charge counted. Charges that counted for the account alone, when they were
made, have no row."""

outbox = Table(
    "outbox",
    metadata,
    id_column("account_id", key=True),
    id_column("event_id", key=True),
    number_column("account_version"),
    number_column("kind"),
    number_column("create_time_us"),
    id_column("subject_id"),
    text_column("detail"),
    number_column("position", default=0),
    check("kind", "kind >= 1"),
    check("position", "position >= 0"),
)
"""Business events, written in the transaction of their cause and kept for 90 days. Deductions have none: their
transactions are their events. `position` is its place in the feed, which it gets after its commit; 0: none yet."""
Index("ix_outbox_created", outbox.c.create_time_us)
Index("ix_outbox_position", outbox.c.position, outbox.c.account_id, outbox.c.account_version, outbox.c.event_id)

deduction_reversals = Table(
    "deduction_reversals",
    metadata,
    id_column("account_id", key=True),
    id_column("transaction_id", key=True),
    number_column("reversed"),
    check("reversed", "reversed > 0"),
)
"""How much of a deduction was given back so far."""

corrections = Table(
    "corrections",
    metadata,
    id_column("account_id", key=True),
    id_column("transaction_id", key=True),
    id_column("rate_card_version", key=True),
    number_column("moved"),
    id_column("correction_id"),
    check("moved", "(moved = 0) = (correction_id = '')"),
)
"""Deductions that a version of the rate card has decided anew. Each version does so once. `moved` is what it charged
besides; below 0: what it gave back. `correction_id` is the transaction that did, empty where nothing moved."""

holds = Table(
    "holds",
    metadata,
    id_column("account_id", key=True),
    id_column("hold_id", key=True),
    number_column("state"),
    number_column("amount"),
    number_column("captured"),
    number_column("released"),
    number_column("expiry_capture"),
    number_column("late_captured"),
    number_column("create_time_us"),
    number_column("expire_time_us"),
    id_column("caller"),
    text_column("description"),
    text_column("metadata"),
    text_column("legs"),
    id_column("rate_card_version", default=""),
    text_column("spender_ids", default=""),
    check("state", "state BETWEEN 1 AND 4"),
    check("amounts", "captured >= 0 AND released >= 0 AND captured + released <= amount"),
    check("closed", "state = 1 OR captured + released = amount"),
    check("expiry_capture", "expiry_capture >= 0 AND expiry_capture <= amount"),
    check("late_captured", "late_captured IN (0, 1)"),
)
"""One row a hold, its lots packed in `legs`: JSON, a list of (lot, category, amount, captured, returned) each.
`spender_ids`: a JSON list, or nothing."""
Index("ix_holds_ends", holds.c.account_id, holds.c.state, holds.c.expire_time_us)
