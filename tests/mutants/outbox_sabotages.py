"""Sabotages of business events: what is told, when, and in which transaction."""

from tests.mutants.sabotage import Sabotage

THRESHOLDS = "billing_service.domain.ledger.thresholds"
UPDATE = "billing_service.commands.sales.refund_update"
TOLD = "end_to_end/test_business_events.py"
LOW = "end_to_end/test_low_balance.py"

OUTBOX = (
    Sabotage(
        "debt is told again while it grows",
        "M12",
        f"{THRESHOLDS}:tell_crossings",
        "account.debt and account.transactions and not _debt_before(account)",
        "account.debt and account.transactions",
        (f"{TOLD}::test_debt_is_told_when_it_begins_and_not_while_it_grows[sqlite]",),
    ),
    Sabotage(
        "debt that a batch brings about is told to nobody",
        "M12",
        "billing_service.ledger.posting:post_batch",
        "tell_crossings(moved, judgement.ids)",
        "",
        (f"{TOLD}::test_debt_is_told_when_it_begins_and_not_while_it_grows[sqlite]",),
    ),
    Sabotage(
        "a low balance is told again while it falls",
        "M30",
        f"{THRESHOLDS}:_tell_low_balance",
        "left < account.low_balance <= _available_before(account)",
        "left < account.low_balance",
        (f"{LOW}::test_each_fall_is_told_once_whatever_made_it[sqlite]", "domain/test_low_balance.py"),
    ),
    Sabotage(
        "what expired before its booking was low already",
        "M30",
        f"{THRESHOLDS}:_available_before",
        "account.last_time_us or account.transactions[0].create_time_us",
        "account.transactions[0].create_time_us",
        ("domain/test_low_balance.py",),
    ),
    Sabotage(
        "a threshold is not heeded by who has cached the account",
        "M30",
        "billing_service.storage.rows.spend_limits:set_low_balance",
        "yield from count_change(account)",
        "",
        (
            f"{LOW}::test_each_fall_is_told_once_whatever_made_it[sqlite]",
            f"{LOW}::test_a_limit_and_a_threshold_do_not_disturb_each_other[sqlite]",
        ),
    ),
    Sabotage(
        "a refund is told before Stripe has settled it",
        "M12",
        f"{UPDATE}:_tell_if_settled",
        "refund.status in (RefundStatus.PENDING, before)",
        "refund.status is RefundStatus.PENDING",
        (f"{TOLD}::test_a_refund_is_told_when_stripe_has_settled_it[sqlite]",),
    ),
    Sabotage(
        "young events are forgotten too",
        "M12",
        "billing_service.jobs.outbox:forget_old_events",
        "clock_us() - RETENTION_US",
        "clock_us()",
        (f"{TOLD}::test_old_events_are_forgotten_and_no_others[sqlite]",),
    ),
)
