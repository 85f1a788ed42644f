"""Sabotages of what operators look things up by, and are told."""

from sabotage import Sabotage

GET_PURCHASE = "billing_service/commands/get_purchase.py"
REFUND_NEWS = "billing_service/commands/refund_news.py"
REFUND_ROWS = "billing_service/storage/refund_rows.py"
MIGRATION = "billing_service/storage/migrations/sql/0002_real_ground.sqlite.sql"
LISTED = "end_to_end/test_refunds_listed.py"

BACKUP = "billing_service/operations/backup.py"
PARTS = "billing_service/operations/verify_parts.py"
PROGRESS = "operations/test_progress.py"
CALL_LOG = "billing_service/api/call_log.py"
STORY = "end_to_end/test_log_of_a_story.py"

OPERATORS = (
    Sabotage(
        "who names a refund refunds its purchase",
        "P4",
        GET_PURCHASE,
        "    if reference.startswith(REFUND_PREFIXES):\n",
        "    if reference.startswith('none'):\n",
        (f"{LISTED}::test_a_refund_is_no_purchase_and_a_purchase_no_refund[sqlite]",),
    ),
    Sabotage(
        "a refund that Stripe named later is not found by that name",
        "P30b",
        REFUND_NEWS,
        "    yield from REFUNDS.replace(refund)\n    yield from claim_refund_ids(refund)\n",
        "    yield from REFUNDS.replace(refund)\n",
        (f"{LISTED}::test_a_refund_is_found_by_both_its_ids[sqlite]",),
    ),
    Sabotage(
        "refunds of an older program are not found by Stripe's id",
        "P23",
        MIGRATION,
        "SELECT stripe_refund_id, account_id, purchase_id FROM refunds WHERE stripe_refund_id <> ''",
        "SELECT stripe_refund_id, account_id, purchase_id FROM refunds WHERE stripe_refund_id = '-'",
        ("upgrade/test_golden_databases.py::test_a_ledger_of_an_older_program",),
    ),
    Sabotage(
        "a pending refund counts as sent",
        "P30b",
        REFUND_ROWS,
        "refunds.c.status == literal_column(\"'PENDING'\")",
        "refunds.c.status == literal_column(\"'FAILED'\")",
        (f"{LISTED}::test_a_pending_refund_is_told_as_pending_until_stripe_settles_it[sqlite]",),
    ),
    Sabotage(
        "a backup in steps of many moments",
        "P22",
        BACKUP,
        '        original.execute("BEGIN")\n        original.execute("SELECT 1 FROM sqlite_schema").fetchone()\n',
        '        original.execute("BEGIN")\n',
        (f"{PROGRESS}::test_a_backup_in_steps_is_one_moment_though_others_write",),
    ),
    Sabotage(
        "a verification in parts that leaves out what no chain reaches",
        "P40",
        PARTS,
        '    return Place(following[0], "") if following else None\n',
        '    return Place(following[0], "") if following and what != ACCOUNTS else None\n',
        ("operations/test_verify.py::test_what_no_account_has_shows_wherever_it_lies[1-sqlite-acme 2-lot of nobody]",),
    ),
    Sabotage(
        "a key that Stripe refuses is told as an outage",
        "P48",
        "billing_service/commands/customers.py",
        "    return stripe_key_refused() if isinstance(unavailable, ProviderKeyRefused) else stripe_unavailable()\n",
        "    return stripe_unavailable()\n",
        ("end_to_end/test_stripe_is_down.py::test_a_key_that_stripe_refuses_is_said_and_all_goes_on_once_it_is_mended[sqlite-forbidden]",),
    ),
    Sabotage(
        "people's words are logged",
        "P42",
        CALL_LOG,
        '        *("frozen", "priority",',
        '        *("description", "frozen", "priority",',
        ("security/test_nobody_is_named.py::test_nobody_is_named_in_logs_and_metrics[sqlite]",),
    ),
    Sabotage(
        "e-mail addresses are logged",
        "P42",
        "billing_service/logs.py",
        "{_AFTER_AT}{{1,64}}",
        "{_AFTER_AT}{{1,64}}!",
        ("settings/test_logs.py::test_e_mail_addresses_are_masked_wherever_they_stray",),
    ),
    Sabotage(
        "a write does not say what it did",
        "P48",
        CALL_LOG,
        "        if self._answered and answer is not None:\n",
        "        if not self._answered and answer is not None:\n",
        (f"{STORY}::test_every_write_but_deductions_says_what_it_did[sqlite]",),
    ),
    Sabotage(
        "refused deductions flood the log",
        "P43",
        CALL_LOG,
        "        if lines >= self._lines_per_s:\n",
        "        if lines < 0:\n",
        ("api/test_call_log.py::test_a_storm_of_refusals_floods_the_log_of_no_hot_method",),
    ),
    Sabotage(
        "the lines of a call have no id in common",
        "P48",
        "billing_service/api/pipeline.py",
        "        with bound_contextvars(correlation_id=call.correlation_id):\n",
        "        with bound_contextvars():\n",
        (f"{STORY}::test_what_stripe_says_no_to_is_found_by_the_calls_id[sqlite]",),
    ),
    Sabotage(
        "a webhook's line does not say what was booked",
        "P48",
        "billing_service/stripe_events/lookup.py",
        "    booked = booked_in(unit)\n    yield from unit.write()\n",
        "    yield from unit.write()\n    booked = booked_in(unit)\n",
        ("stripe_events/test_what_events_did.py::test_a_page_that_was_paid[sqlite]",),
    ),
    Sabotage(
        "a slow deduction has no line",
        "P48",
        "billing_service/api/pipeline.py",
        "        if logs_successes or seconds >= SLOW_S:\n",
        "        if logs_successes:\n",
        ("api/test_call_log.py::test_a_call_that_took_long_is_always_logged",),
    ),
    Sabotage(
        "a quarantined event does not say why",
        "P48",
        "billing_service/stripe_events/inbox.py",
        'verdict.about({"note": verdict.note}).did',
        "verdict.did",
        ("stripe_events/test_what_events_did.py::test_an_event_that_is_kept_for_a_person_says_why_and_of_what",),
    ),
)
