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
)
