"""Sabotages of what operators look things up by, and are told."""

from tests.mutants.sabotage import Sabotage, TextSabotage

GET_PURCHASE = "billing_service.commands.sales.get_purchase"
REFUND_NEWS = "billing_service.commands.sales.refund_update"
REFUND_ROWS = "billing_service.storage.rows.refunds"
MIGRATION = "billing_service/storage/migrations/sql/0002_real_ground.sqlite.sql"
LISTED = "end_to_end/test_get_refund.py"

BACKUP = "billing_service.integrity.backup"
PARTS = "billing_service.integrity.verify_parts"
PROGRESS = "integrity/test_progress.py"
CALL_LOG = "billing_service.api.call_log"
STORY = "end_to_end/test_log_of_a_story.py"

OPERATORS = (
    Sabotage(
        "who names a refund refunds its purchase",
        "P4",
        f"{GET_PURCHASE}:_find",
        "REFUND_PREFIXES",
        "'none'",
        (f"{LISTED}::test_a_refund_is_no_purchase_and_a_purchase_no_refund[sqlite]",),
    ),
    Sabotage(
        "a refund that Stripe named later is not found by that name",
        "P30b",
        f"{REFUND_NEWS}:apply_refund_update",
        ("yield from REFUNDS.replace(refund)\nyield from claim_refund_ids(refund)"),
        "yield from REFUNDS.replace(refund)",
        (f"{LISTED}::test_a_refund_is_found_by_both_its_ids[sqlite]",),
    ),
    TextSabotage(
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
        f"{REFUND_ROWS}:SUM_PENDING",
        "\"'PENDING'\"",
        "\"'FAILED'\"",
        (f"{LISTED}::test_a_pending_refund_is_told_as_pending_until_stripe_settles_it[sqlite]",),
    ),
    Sabotage(
        "a backup in steps of many moments",
        "P22",
        f"{BACKUP}:_copy",
        'original.execute("SELECT 1 FROM sqlite_schema").fetchone()',
        "",
        (f"{PROGRESS}::test_a_backup_in_steps_is_one_moment_though_others_write",),
    ),
    Sabotage(
        "a verification in parts that leaves out what no chain reaches",
        "P40",
        f"{PARTS}:_following",
        'Place(following[0], "") if following else None',
        'Place(following[0], "") if following and what != ACCOUNTS else None',
        ("integrity/test_verify.py::test_what_no_account_has_shows_wherever_it_lies[1-sqlite-acme 2-lot of nobody]",),
    ),
    Sabotage(
        "a key that Stripe refuses is told as an outage",
        "P48",
        "billing_service.ledger.provider_step:stripe_failed",
        "stripe_key_refused() if isinstance(unavailable, ProviderKeyRefused) else stripe_unavailable()",
        "stripe_unavailable()",
        (
            "end_to_end/test_stripe_is_down.py::test_a_key_that_stripe_refuses_is_said_and_all_goes_on_once_it_is_mended[sqlite-forbidden]",
        ),
    ),
    Sabotage(
        "people's words are logged",
        "P42",
        f"{CALL_LOG}:LOGGED",
        '("frozen", "priority", "expire_time", "effective_time", "reward_time", "replayed")',
        ('("description", "frozen", "priority", "expire_time", "effective_time", "reward_time", "replayed")'),
        ("security/test_nobody_is_named.py::test_nobody_is_named_in_logs_and_metrics[sqlite]",),
    ),
    Sabotage(
        "e-mail addresses are logged",
        "P42",
        "billing_service.logs:_SECRET_OR_ADDRESS",
        'rf"{_SECRET.pattern}|(?<!{_BEFORE_AT}){_BEFORE_AT}{{1,320}}@{_AFTER_AT}{{1,320}}\\.{_AFTER_AT}{{1,64}}"',
        'rf"{_SECRET.pattern}|(?<!{_BEFORE_AT}){_BEFORE_AT}{{1,320}}@{_AFTER_AT}{{1,320}}\\.{_AFTER_AT}{{1,64}}!"',
        ("settings/test_logs.py::test_e_mail_addresses_are_masked_wherever_they_stray",),
    ),
    Sabotage(
        "a write does not say what it did",
        "P48",
        f"{CALL_LOG}:CallLog.succeeded",
        "self._answered and answer is not None",
        "not self._answered and answer is not None",
        (f"{STORY}::test_every_write_but_deductions_says_what_it_did[sqlite]",),
    ),
    Sabotage(
        "refused deductions flood the log",
        "P43",
        f"{CALL_LOG}:Thinned.take",
        "lines >= self._lines_per_s",
        "lines < 0",
        ("api/test_call_log.py::test_a_storm_of_refusals_floods_the_log_of_no_hot_method",),
    ),
    Sabotage(
        "the lines of a call have no id in common",
        "P48",
        "billing_service.api.pipeline:_named.named",
        "bound_contextvars(correlation_id=call.correlation_id)",
        "bound_contextvars()",
        (f"{STORY}::test_what_stripe_says_no_to_is_found_by_the_calls_id[sqlite]",),
    ),
    Sabotage(
        "a webhook's line does not say what was booked",
        "P48",
        "billing_service.stripe_events.lookup:_have",
        ("booked = booked_in(unit)\nyield from unit.write()"),
        ("yield from unit.write()\nbooked = booked_in(unit)"),
        ("stripe_events/test_what_events_did.py::test_a_page_that_was_paid[sqlite]",),
    ),
    Sabotage(
        "a slow deduction has no line",
        "P48",
        "billing_service.api.pipeline:_compose.handle",
        "logs_successes or seconds >= SLOW_S",
        "logs_successes",
        ("api/test_call_log.py::test_a_call_that_took_long_is_always_logged",),
    ),
    Sabotage(
        "a quarantined event does not say why",
        "P48",
        "billing_service.stripe_events.inbox:_process.told",
        'result.about({"note": result.note})',
        "result",
        ("stripe_events/test_what_events_did.py::test_an_event_that_is_kept_for_a_person_says_why_and_of_what",),
    ),
)
