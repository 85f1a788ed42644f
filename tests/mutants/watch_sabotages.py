"""Sabotages of what watches: the job that verifies, and what is counted."""

from sabotage import Sabotage

JOB = "billing_service/jobs/verification.py"
JOBS = "jobs/test_verification.py"
STORE = "billing_service/storage/store.py"
COUNTERS = "storage/test_store_counters.py"
IN_VAIN = f"{COUNTERS}::test_waits_in_vain_are_counted_by_code_and_in_seconds[sqlite]"
COUNTED = "monitoring/test_counts_of_the_service.py"

WATCH = (
    Sabotage(
        "what the job finds is not frozen",
        "P41",
        JOB,
        "        if not self._freeze:\n",
        "        if self._freeze or not self._freeze:\n",
        (f"{JOBS}::test_a_corrupted_balance_is_found_in_one_cycle_and_the_account_frozen[sqlite]",),
    ),
    Sabotage(
        "what the job finds does not show",
        "P41",
        JOB,
        "                self._found.add(account_id)\n",
        "",
        (f"{JOBS}::test_a_corrupted_balance_is_found_in_one_cycle_and_the_account_frozen[sqlite]",),
    ),
    Sabotage(
        "the job overrules an operator",
        "P41",
        JOB,
        'f"fault-{sha256(repr(subjects).encode()).hexdigest()}"',
        "f\"fault-{sha256(repr(environment.ids('x')).encode()).hexdigest()}\"",
        (f"{JOBS}::test_the_same_fault_freezes_once_and_another_again[sqlite]",),
    ),
    Sabotage(
        "the job freezes what is frozen",
        "P41",
        JOB,
        "        if found[account_id].frozen:\n",
        "        if not found:\n",
        (f"{JOBS}::test_an_account_that_is_frozen_already_is_left_alone[sqlite]",),
    ),
    Sabotage(
        "one account that can't be frozen ends the walk",
        "P41",
        JOB,
        "        except Exception:  # what is broken",
        "        except KeyError:  # what is broken",
        (f"{JOBS}::test_an_account_that_can_t_be_frozen_holds_up_nobody[sqlite]",),
    ),
    Sabotage(
        "the job takes all the time there is",
        "P24",
        JOB,
        "self._pause(worked_s * (1 / SHARE_MAX - 1))",
        "self._pause(0 * worked_s)",
        (f"{JOBS}::test_it_takes_a_twentieth_of_the_time[sqlite]",),
    ),
    Sabotage(
        "a walk that was stopped counts",
        "P48",
        JOB,
        "                if self._stopping.is_set():\n                    return\n",
        "                if self._stopping.is_set():\n                    break\n",
        (f"{JOBS}::test_a_walk_that_is_stopped_ends_soon_and_counts_for_nothing[sqlite]",),
    ),
    Sabotage(
        "a history is compared with what is stored later",
        "P41",
        "billing_service/operations/verify.py",
        "    yield check.end()\n",
        "    (later,) = await store.read(lambda: _one(check.account_id))\n    check._stored = later.stored\n    yield check.end()\n",
        (f"{JOBS}::test_a_ledger_that_moves_meanwhile_is_proven[sqlite]",),
    ),
    Sabotage(
        "a job that fails ends its loop",
        "P48",
        "billing_service/jobs/loops.py",
        '                log.exception("job_failed", job=self.name)\n',
        '                log.exception("job_failed", job=self.name)\n                return\n',
        ("jobs/test_loops.py::test_a_loop_outlives_every_failure_and_counts_it",),
    ),
    Sabotage(
        "conflicts are not told apart",
        "P48",
        STORE,
        "counters.conflict_causes[str(met)] += 1",
        'counters.conflict_causes["conflict"] += 1',
        (IN_VAIN,),
    ),
    Sabotage(
        "waiting is not counted",
        "P48",
        STORE,
        "            counters.conflict_s += monotonic() - begun\n",
        "            counters.conflict_s += begun - begun\n",
        (IN_VAIN,),
    ),
    Sabotage(
        "failures of the database are not counted",
        "P48",
        STORE,
        "                counters.failures[_code(failure.__cause__)] += 1\n",
        "                _code(failure.__cause__)\n",
        (f"{COUNTERS}::test_what_the_database_could_not_do_is_counted_by_code[sqlite]",),
    ),
    Sabotage(
        "repeats are not counted",
        "P48",
        "billing_service/api/requests.py",
        "        REPLAYS[self._name] += 1\n",
        "",
        (f"{COUNTED}::test_repeats_are_counted_by_response[sqlite]",),
    ),
    Sabotage(
        "events are counted in each run of their unit",
        "P48",
        "billing_service/stripe_events/inbox.py",
        "    verdict = yield from effect()\n",
        '    environment.figures.events[_counted_type(envelope.event_type), "PROCESSED"] += 1\n    verdict = yield from effect()\n',
        (f"{COUNTED}::test_a_purchase_is_counted_once_though_its_unit_ran_again[sqlite]",),
    ),
    Sabotage(
        "the service's noes to the gateway are not counted",
        "P48",
        "webhook_gateway/app.py",
        "            FORWARD_FAILURES.labels(error.status.name).inc()\n",
        "            FORWARD_FAILURES.labels(error.status.name)\n",
        ("gateway/test_gateway_counts.py",),
    ),
    Sabotage(
        "the journal is never checkpointed",
        "P24",
        "billing_service/storage/sqlite.py",
        'f"PRAGMA wal_autocheckpoint={AUTOCHECKPOINT_PAGES}"',
        'f"PRAGMA wal_autocheckpoint={0 * AUTOCHECKPOINT_PAGES}"',
        ("storage/test_sqlite_store.py::test_only_the_writer_writes_and_checkpoints",),
    ),
    Sabotage(
        "reads that overlap keep the journal for ever",
        "P24",
        "billing_service/storage/sqlite_store.py",
        "            while len(taken) < len(self._all_readers):\n",
        "            while len(taken) < len(self._all_readers) - 1:\n",
        ("storage/test_sqlite_journal.py::test_reads_wait_until_a_long_journal_can_begin_anew",),
    ),
    Sabotage(
        "an alert asks for a label that is not there",
        "P48",
        "deploy/monitoring/alerts.yml",
        'sum(increase(billing_refusals_total{reason="CONFLICT"}[15m])) > 0',
        'sum(increase(billing_refusals_total{reason="CONFLICTS"}[15m])) > 0',
        ("monitoring/test_alert_rules.py::test_what_rules_ask_for_is_there_from_the_start",),
    ),
)
