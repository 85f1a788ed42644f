"""Tables of what is sold and what Stripe reports: purchases, refunds, referrals, the inbox."""

from sqlalchemy import Column, Index, Table, literal_column

from billing_service.storage.schema.columns import Bytes, Number, check, id_column, metadata, number_column, text_column

purchases = Table(
    "purchases",
    metadata,
    id_column("account_id", key=True),
    id_column("purchase_id", key=True),
    id_column("package_code"),
    text_column("name"),
    text_column("description"),
    number_column("credits"),
    number_column("amount_minor"),
    id_column("currency"),
    id_column("status"),
    number_column("attempt"),
    id_column("checkout_session_id"),
    text_column("checkout_url"),
    id_column("payment_intent_id"),
    number_column("paid_minor"),
    number_column("refunded_minor"),
    number_column("disputed_minor"),
    number_column("reversed"),
    id_column("lot_id"),
    text_column("success_url"),
    text_column("cancel_url"),
    text_column("metadata"),
    number_column("create_time_us"),
    number_column("expire_time_us"),
    number_column("complete_time_us", nullable=True),
    number_column("net_paid_minor", nullable=True),
    number_column("payment_time_us", nullable=True),
    number_column("reversed_debt", default=0),
    number_column("reversed_expired", default=0),
    text_column("terms", default=""),
    number_column("flags", default=0),
    check("status", "status IN ('PENDING', 'AWAITING_FUNDS', 'COMPLETED', 'FAILED', 'EXPIRED', 'CANCELED')"),
    check("credits", "credits > 0"),
    check("amount_minor", "amount_minor > 0"),
    check("paid_minor", "paid_minor >= 0"),
    check("refunded_minor", "refunded_minor >= 0"),
    check("reversed", "reversed >= 0 AND reversed <= credits"),
    check("net_paid_minor", "net_paid_minor >= 0"),
    check("reversed_debt", "reversed_debt >= 0"),
    check("reversed_expired", "reversed_expired >= 0"),
)
"""`reversed` is what reversals have taken of the credits, so that the target is always compared with one number.
`reversed_debt` is the part of it that became debt, `reversed_expired` the part that had expired. `attempt` numbers the
tries at Stripe whose stored failure would be replayed for their key. `net_paid_minor` is what was paid for the credits,
without tax and shipping; NULL on rows older than it. `payment_time_us`: when Stripe first reported the payment's
success. `terms`: what held when the page was opened, as JSON. `disputed_minor` is the sum of what its disputes have
out. `flags`: see `domain.sales.disputes.PurchaseFlags`."""
Index(
    "ix_purchases_paid_uncompleted",
    purchases.c.payment_time_us,
    sqlite_where=purchases.c.payment_time_us.is_not(None) & purchases.c.complete_time_us.is_(None),
    postgresql_where=purchases.c.payment_time_us.is_not(None) & purchases.c.complete_time_us.is_(None),
)
Index("ix_purchases_created", purchases.c.create_time_us, purchases.c.purchase_id)
_OPEN = purchases.c.status.in_([literal_column("'PENDING'"), literal_column("'AWAITING_FUNDS'")])
Index("ix_purchases_open", purchases.c.purchase_id, sqlite_where=_OPEN, postgresql_where=_OPEN)

purchase_references = Table(
    "purchase_references",
    metadata,
    id_column("reference", key=True),
    id_column("account_id"),
    id_column("purchase_id"),
)
"""Every id by which the world names a purchase (pur_, cs_, pi_, re_): its primary key is what makes a grant happen
once."""

refunds = Table(
    "refunds",
    metadata,
    id_column("account_id", key=True),
    id_column("refund_id", key=True),
    id_column("purchase_id"),
    number_column("amount_minor"),
    id_column("currency"),
    id_column("status"),
    number_column("attempt"),
    number_column("requires_settlement"),
    number_column("reversed"),
    number_column("debt"),
    id_column("stripe_refund_id"),
    text_column("reason"),
    number_column("create_time_us"),
    number_column("is_marked", default=0),
    number_column("expired", default=0),
    number_column("bonus", default=0),
    check("status", "status IN ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED')"),
    check("amount_minor", "amount_minor > 0"),
    check("is_marked", "is_marked IN (0, 1)"),
    check("expired", "expired >= 0"),
    check("bonus", "bonus >= 0"),
)
Index("ix_refunds_purchase", refunds.c.account_id, refunds.c.purchase_id)
_UNSENT = (refunds.c.status == literal_column("'PENDING'")) & (refunds.c.stripe_refund_id == literal_column("''"))
Index("ix_refunds_unsent", refunds.c.create_time_us, sqlite_where=_UNSENT, postgresql_where=_UNSENT)
_PENDING = refunds.c.status == literal_column("'PENDING'")
Index("ix_refunds_pending", refunds.c.refund_id, sqlite_where=_PENDING, postgresql_where=_PENDING)
"""`reversed` is what it took of lots and as debt; `requires_settlement`: that still waits in the place `set_aside`.
`expired` is what it took besides, which had expired before. `bonus`: the buyer's referral bonus that went back beside.
`is_marked`: the program that began it marks its object at Stripe."""

disputes = Table(
    "disputes",
    metadata,
    id_column("account_id", key=True),
    id_column("dispute_id", key=True),
    id_column("purchase_id"),
    number_column("amount_minor"),
    id_column("currency"),
    id_column("word"),
    text_column("reason"),
    text_column("entries"),
    number_column("out_minor"),
    number_column("due_time_us", nullable=True),
    number_column("told_time_us"),
    number_column("create_time_us"),
    check("amount_minor", "amount_minor >= 0"),
    check("out_minor", "out_minor >= 0 AND out_minor <= amount_minor"),
)
"""By Stripe's id. `word` is Stripe's status, `entries` those of Stripe's balance, by their ids, as JSON. `out_minor` is
computed from them. `told_time_us`: when Stripe told what stands here, which may have come in any order."""
Index("ix_disputes_purchase", disputes.c.account_id, disputes.c.purchase_id)
DECIDED_WORDS = ("won", "lost", "warning_closed", "prevented")
UNDECIDED = disputes.c.word.not_in([literal_column(f"'{word}'") for word in DECIDED_WORDS])
Index("ix_disputes_open", disputes.c.dispute_id, sqlite_where=UNDECIDED, postgresql_where=UNDECIDED)

referrals = Table(
    "referrals",
    metadata,
    id_column("account_id", key=True),
    id_column("referrer_account_id"),
    id_column("state"),
    number_column("bonus"),
    id_column("purchase_id"),
    id_column("referee_lot_id"),
    id_column("referrer_lot_id"),
    number_column("referee_taken"),
    number_column("referrer_taken"),
    number_column("create_time_us"),
    number_column("reward_time_us", nullable=True),
    number_column("minimum_minor", nullable=True),
    number_column("referee_taken_purchase", default=0),
    number_column("referee_taken_debt", default=0),
    id_column("fallen_purchase_id", default=""),
    check("state", "state IN ('PENDING', 'QUALIFIED', 'REWARDED', 'CLOSED', 'REVERSED')"),
    check("self", "account_id <> referrer_account_id"),
)
"""Keyed by the referred account: nobody is referred twice. `minimum_minor`: the least purchase that earned the bonus,
NULL on rows older than it. `referee_taken` is what was taken back from the bonus lot, or came back into it since; the
rest came from the purchase's lot or became debt. The lots named are the bonuses' newest: one that was taken back and
restored has a lot in its stead. While REVERSED, the purchase is in `fallen_purchase_id` and `purchase_id` is empty: a
program of an older schema would restore the bonuses by its own rules."""
Index("ix_referrals_referrer", referrals.c.referrer_account_id)

deployment = Table(
    "deployment",
    metadata,
    Column("position", Number, primary_key=True, autoincrement=False),
    id_column("deployment_id"),
    Column("mark_key", Bytes, nullable=False),
    id_column("mode"),
    number_column("create_time_us"),
    check("position", "position = 1"),
    check("mode", "mode IN ('sandbox', 'test', 'live')"),
)
"""One row: which deployment's ledger this is. `mark_key` makes the marks on its objects at Stripe; `mode` is fixed at
its first start."""

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("row_number", Number, primary_key=True, autoincrement=False),
    number_column("since_us"),
    number_column("until_us"),
    id_column("cursor"),
    id_column("lease_owner"),
    number_column("lease_until_us"),
    check("row_number", "row_number = 1"),
    check("window", "since_us >= 0 AND until_us >= since_us"),
)
"""One row, which the migration makes: the job's run under way, from `cursor` on, or its last whole one where that is
empty. One process at a time goes on with it: `lease_owner`, until `lease_until_us`."""

stripe_events = Table(
    "stripe_events",
    metadata,
    id_column("event_id", key=True),
    id_column("event_type"),
    id_column("subject"),
    id_column("status"),
    Column("payload", Bytes, nullable=False),
    number_column("receive_time_us"),
    number_column("process_time_us"),
    number_column("attempt_count"),
    text_column("error"),
    check("status", "status IN ('PROCESSED', 'IGNORED', 'QUARANTINED', 'FAILED')"),
)
"""The inbox. `subject` is the PaymentIntent that an event waits for when no purchase knows it yet; else empty."""
Index("ix_stripe_events_receive", stripe_events.c.receive_time_us, stripe_events.c.event_id)
Index("ix_stripe_events_status", stripe_events.c.status, stripe_events.c.receive_time_us, stripe_events.c.event_id)
Index(
    "ix_stripe_events_subject",
    stripe_events.c.subject,
    sqlite_where=stripe_events.c.subject != "",
    postgresql_where=stripe_events.c.subject != "",
)
