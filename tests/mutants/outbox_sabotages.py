"""Sabotages of business events: what is told, when, and in which transaction."""

from tests.mutants.sabotage import Sabotage

THRESHOLDS = "billing_service.domain.ledger.thresholds"
UPDATE = "billing_service.commands.sales.refund_update"
TOLD = "end_to_end/test_business_events.py"

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
