"""Sabotages of disputes: what is out of one, which news stand, and what it does to its purchase."""

from tests.mutants.sabotage import Sabotage

DOMAIN = "billing_service.domain.sales.disputes"
FOLLOWING = "billing_service.commands.clawbacks.disputes"
FAMILY = "billing_service.stripe_events.families.dispute"
CASES = "domain/test_disputes.py"
TOLD = "stripe_events/test_disputes.py"

DISPUTES = (
    Sabotage(
        "a dispute's money is out whatever came back",
        "P50",
        f"{DOMAIN}:out_minor",
        "return min(amount_minor, -(-amount_minor * max(-sum(moved), 0) // withdrawn))",
        "return amount_minor",
        (f"{CASES}::test_what_is_out",),
    ),
    Sabotage(
        "the sum of a dispute's entries is taken for its money",
        "P50",
        f"{DOMAIN}:out_minor",
        "return min(amount_minor, -(-amount_minor * max(-sum(moved), 0) // withdrawn))",
        "return min(amount_minor, max(-sum(moved), 0))",
        (f"{TOLD}::test_a_dispute_in_another_currency_takes_its_own_share",),
    ),
    Sabotage(
        "entries of earlier news of a dispute are forgotten",
        "P50",
        f"{DOMAIN}:Dispute.learn",
        "self.entries = {**self.entries, **news.entries}",
        "self.entries = dict(news.entries)",
        (f"{CASES}::test_any_order_and_repetition_ends_alike",),
    ),
    Sabotage(
        "the last news of a dispute stand, and not the newest",
        "P50",
        f"{DOMAIN}:Dispute.learn",
        "_age(news.told_time_us, news.word) >= _age(self.told_time_us, self.word)",
        "True",
        (f"{CASES}::test_any_order_and_repetition_ends_alike",),
    ),
    Sabotage(
        "of several disputes one counts",
        "P4",
        f"{FOLLOWING}:follow_dispute",
        "purchase.disputed_minor = sum(each.out_minor for each in disputes)",
        "purchase.disputed_minor = dispute.out_minor",
        (f"{TOLD}::test_disputes_of_parts_add_up",),
    ),
    Sabotage(
        "a dispute in another currency takes credits",
        "P30b",
        f"{FAMILY}:apply",
        "news.currency != purchase.currency",
        "False",
        (f"{TOLD}::test_a_dispute_that_says_nothing_usable_is_quarantined",),
    ),
    Sabotage(
        "entries that can't be read are taken for none",
        "P50",
        f"{FAMILY}:_news",
        'sent.check("entries")',
        "",
        (f"{TOLD}::test_a_dispute_that_says_nothing_usable_is_quarantined",),
    ),
    Sabotage(
        "a dispute tells its event at each repetition",
        "P14",
        f"{FOLLOWING}:follow_dispute",
        "before is None or (before.status, before.out_minor) != (dispute.status, dispute.out_minor)",
        "True",
        (f"{TOLD}::test_a_repeated_dispute_tells_nobody_again",),
    ),
    Sabotage(
        "a fraud warning goes when a dispute is told",
        "P50",
        f"{DOMAIN}:flags_of",
        "flags = before & PurchaseFlags.FRAUD_WARNING",
        "flags = NO_FLAGS",
        (f"{CASES}::test_flags",),
    ),
)
