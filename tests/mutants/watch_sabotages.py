"""Sabotages of what watches: the job that verifies, and what is counted."""

from tests.mutants.sabotage import Sabotage, TextSabotage

JOB = "billing_service.jobs.verification"
JOBS = "jobs/test_verification.py"
STORE = "billing_service.storage.store"
COUNTERS = "storage/test_store_counters.py"
IN_VAIN = f"{COUNTERS}::test_waits_in_vain_are_counted_by_code_and_in_seconds[sqlite]"
COUNTED = "monitoring/test_counts_of_the_service.py"

WATCH = (
    Sabotage(
        "what the job finds is not frozen",
        "P41",
        f"{JOB}:Verification._tell",
        "not self._freeze",
        "self._freeze or not self._freeze",
        (f"{JOBS}::test_a_corrupted_balance_is_found_in_one_cycle_and_the_account_frozen[sqlite]",),
    ),
    Sabotage(
        "what the job finds does not show",
        "P41",
        f"{JOB}:Verification.run",
        "self._found.add(account_id)",
        "",
        (f"{JOBS}::test_a_corrupted_balance_is_found_in_one_cycle_and_the_account_frozen[sqlite]",),
    ),
    Sabotage(
        "the job overrules an operator",
        "P41",
        f"{JOB}:Verification._freeze_once.key",
        'f"fault-{sha256(repr(subjects).encode()).hexdigest()}"',
        "f\"fault-{sha256(repr(environment.ids('x')).encode()).hexdigest()}\"",
        (f"{JOBS}::test_the_same_fault_freezes_once_and_another_again[sqlite]",),
    ),
    Sabotage(
        "the job freezes what is frozen",
        "P41",
        f"{JOB}:Verification._freeze_once",
        "found[account_id].frozen",
        "not found",
        (f"{JOBS}::test_an_account_that_is_frozen_already_is_left_alone[sqlite]",),
    ),
    Sabotage(
        "one account that can't be frozen ends the walk",
        "P41",
        f"{JOB}:Verification._tell",
        "Exception",
        "KeyError",
        (f"{JOBS}::test_an_account_that_can_t_be_frozen_holds_up_nobody[sqlite]",),
    ),
    Sabotage(
        "the job takes all the time there is",
        "P24",
        f"{JOB}:Verification.run",
        "worked_s * (1 / SHARE_MAX - 1)",
        "0 * worked_s",
        (f"{JOBS}::test_it_takes_a_twentieth_of_the_time[sqlite]",),
    ),
    Sabotage(
        "a walk that was stopped counts",
        "P48",
        f"{JOB}:Verification.run",
        "return",
        "break",
        (f"{JOBS}::test_a_walk_that_is_stopped_ends_soon_and_counts_for_nothing[sqlite]",),
    ),
    Sabotage(
        "a history is compared with what is stored later",
        "P41",
        "billing_service.integrity.verify:followed",
        (
            "while check.links_left:\n"
            "    yield Report()\n"
            "    found = await store.read(partial(links, check.account_id, check.next_id, min(LINKS_A_READ, "
            "check.links_left)))\n"
            "    check.follow(found)\n"
            "    watched.add(len(found))"
        ),
        (
            "while check.links_left:\n"
            "    yield Report()\n"
            "    found = await store.read(partial(links, check.account_id, check.next_id, min(LINKS_A_READ, "
            "check.links_left)))\n"
            "    check.follow(found)\n"
            "    watched.add(len(found))\n"
            "(later,) = await store.read(lambda: _one(check.account_id))\n"
            "check._stored = later.stored"
        ),
        (f"{JOBS}::test_a_ledger_that_moves_meanwhile_is_proven[sqlite]",),
    ),
    Sabotage(
        "a job that fails ends its loop",
        "P48",
        "billing_service.jobs.loops:Loop._run",
        'log.exception("job_failed", job=self.name)',
        ('log.exception("job_failed", job=self.name)\nreturn'),
        ("jobs/test_loops.py::test_a_loop_outlives_every_failure_and_counts_it",),
    ),
    Sabotage(
        "conflicts are not told apart",
        "P48",
        f"{STORE}:rerun_on_conflict",
        "counters.conflict_causes[str(met)] += 1",
        'counters.conflict_causes["conflict"] += 1',
        (IN_VAIN,),
    ),
    Sabotage(
        "waiting is not counted",
        "P48",
        f"{STORE}:rerun_on_conflict",
        "monotonic() - begun",
        "begun - begun",
        (IN_VAIN,),
    ),
    Sabotage(
        "failures of the database are not counted",
        "P48",
        f"{STORE}:rerun_on_conflict",
        "counters.failures[_code(failure.__cause__)] += 1",
        "_code(failure.__cause__)",
        (f"{COUNTERS}::test_what_the_database_could_not_do_is_counted_by_code[sqlite]",),
    ),
    Sabotage(
        "repeats are not counted",
        "P48",
        "billing_service.api.requests:Replies.__call__",
        "REPLAYS[self._name] += 1",
        "",
        (f"{COUNTED}::test_repeats_are_counted_by_response[sqlite]",),
    ),
    Sabotage(
        "events are counted in each run of their unit",
        "P48",
        "billing_service.stripe_events.inbox:_keep",
        ("if settled and (event.status is EventStatus.PROCESSED or not again):\n    return None"),
        (
            "if settled and (event.status is EventStatus.PROCESSED or not again):\n"
            "    return None\n"
            'environment.counters.events[_counted_type(envelope.event_type), "PROCESSED"] += 1'
        ),
        (f"{COUNTED}::test_a_purchase_is_counted_once_though_its_unit_ran_again[sqlite]",),
    ),
    Sabotage(
        "the service's noes to the gateway are not counted",
        "P48",
        "webhook_gateway.app:_webhook_handler.receive_webhook",
        "FORWARD_FAILURES.labels(error.status.name).inc()",
        "FORWARD_FAILURES.labels(error.status.name)",
        ("gateway/test_gateway_counts.py",),
    ),
    Sabotage(
        "the journal is never checkpointed",
        "P24",
        "billing_service.storage.sqlite.connections:_WRITER_PRAGMAS",
        'f"PRAGMA wal_autocheckpoint={AUTOCHECKPOINT_PAGES}"',
        'f"PRAGMA wal_autocheckpoint={0 * AUTOCHECKPOINT_PAGES}"',
        ("storage/test_sqlite_store.py::test_only_the_writer_writes_and_checkpoints",),
    ),
    Sabotage(
        "reads that overlap keep the journal for ever",
        "P24",
        "billing_service.storage.sqlite.store:SqliteStore._shorten_journal",
        "len(self._all_readers)",
        "len(self._all_readers) - 1",
        ("storage/test_sqlite_wal.py::test_reads_wait_until_a_long_wal_can_begin_anew",),
    ),
    TextSabotage(
        "an alert asks for a label that is not there",
        "P48",
        "deploy/monitoring/alerts.yml",
        'sum(increase(billing_refusals_total{reason="CONFLICT"}[15m])) > 0',
        'sum(increase(billing_refusals_total{reason="CONFLICTS"}[15m])) > 0',
        ("monitoring/test_alert_rules.py::test_what_rules_ask_for_is_there_from_the_start",),
    ),
)
