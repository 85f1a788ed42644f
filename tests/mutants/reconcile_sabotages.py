"""Sabotages of comparisons with Stripe: what is compared, what is repaired, and what must not be."""

from tests.mutants.sabotage import Sabotage

RUN = "billing_service.reconcile.run"
REPAIR = "billing_service.reconcile.repair"
STANDING = "billing_service.reconcile.standing"
TOLD = "billing_service.reconcile.told"
JOB = "billing_service.jobs.reconciliation"
SENDING = "billing_service.commands.sales.resume_refund"
CASES = "reconcile/test_run.py"
REFUNDS = "reconcile/test_refunds_not_sent.py"
JOBS = "reconcile/test_job.py"

RECONCILE = (
    Sabotage(
        "a dry run repairs",
        "P59",
        f"{REPAIR}:look.work",
        "if dry_run:\n    raise _OnlyLookedError(seen)",
        "pass",
        (f"{CASES}::test_a_purchase_that_was_paid_gets_its_credits",),
    ),
    Sabotage(
        "what is open and older than the window is not asked for",
        "P59",
        f"{RUN}:Reconciler._purchases",
        "open_purchases(after, task.since_us + SKEW_US, OPEN_A_STEP)",
        "open_purchases(after, 0, OPEN_A_STEP)",
        (f"{CASES}::test_what_is_open_and_older_than_the_window_is_asked_for",),
    ),
    Sabotage(
        "a paid page of a purchase that waits stands",
        "P59",
        f"{STANDING}:_checkout",
        "return purchase.status is PurchaseStatus.COMPLETED and bound",
        "return True",
        (f"{CASES}::test_a_purchase_that_was_paid_gets_its_credits",),
    ),
    Sabotage(
        "a refund that failed after it succeeded stands",
        "P59",
        f"{STANDING}:_refund",
        "return kept is not None and status_of(sent).rank <= kept.status.rank",
        "return kept is not None",
        (f"{CASES}::test_refunds_begun_elsewhere_and_those_that_came_to_nothing",),
    ),
    Sabotage(
        "entries of a dispute that are new stand",
        "P59",
        f"{STANDING}:_dispute",
        "(kept.word, kept.amount_minor) == (sent.word, sent.amount_minor)",
        "True",
        ("reconcile/test_run.py::test_a_dispute_that_went_on_without_money",),
    ),
    Sabotage(
        "a delayed payment that failed is taken for one that waits",
        "P59",
        f"{TOLD}:_of_checkout",
        "isinstance(payment, Mapping) and payment.get('status') in _OVER",
        "False",
        (f"{CASES}::test_a_purchase_that_ended_otherwise",),
    ),
    Sabotage(
        "a customer without an address takes the account's away",
        "P59",
        f"{TOLD}:_TYPES",
        "customers.CREATED",
        "'customer.updated'",
        (f"{CASES}::test_customers_follow_and_nothing_is_taken_away",),
    ),
    Sabotage(
        "a refund whose call may be under way is sent a second time",
        "P4",
        f"{RUN}:Reconciler.send",
        "if seen.create_time_us >= self._environment.clock_us() - UNSENT_US:\n    return []",
        "pass",
        (f"{REFUNDS}::test_a_refund_that_never_went_out_is_sent_once",),
    ),
    Sabotage(
        "a refund is sent without a look whether Stripe made it",
        "P4",
        f"{SENDING}:resume_refund.begin_again",
        "return Begun(intent, resumed=True) if intent.refund.is_unsent else intent.refund",
        "return Begun(intent) if intent.refund.is_unsent else intent.refund",
        (f"{REFUNDS}::test_a_refund_that_stripe_made_and_nobody_heard_of_is_not_made_again",),
    ),
    Sabotage(
        "a run goes on from its beginning",
        "P59",
        f"{JOB}:Reconciliation.run",
        "run = stored if stored.cursor else _next_run(stored, now_us)",
        "run = _next_run(stored, now_us)",
        (f"{JOBS}::test_a_run_that_was_broken_off_goes_on_by_whoever_comes_first",),
    ),
    Sabotage(
        "two runs have no overlap",
        "P59",
        f"{JOB}:_next_run",
        "last.until_us - OVERLAP_US if last.until_us else until_us - FIRST_WINDOW_US",
        "last.until_us if last.until_us else until_us - FIRST_WINDOW_US",
        (f"{JOBS}::test_a_run_repairs_and_the_next_begins_where_it_ended",),
    ),
)
