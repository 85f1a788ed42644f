"""Sabotages of transactions, locks, durability and what the databases refuse."""

from tests.mutants.sabotage import Sabotage, TextSabotage

SQLITE = "billing_service.storage.sqlite.connections"
SQLITE_STORE = "billing_service.storage.sqlite.store"
POSTGRES = "billing_service.storage.postgres.store"
POSTGRES_SESSION = "billing_service.storage.postgres.session"
LEDGER_ROWS = "billing_service.storage.rows.ledger"
LEDGER_STATEMENTS = "billing_service.storage.rows.ledger_statements"
BATCH_ROWS = "billing_service.storage.rows.batches"
SCHEMA = "billing_service/storage/migrations/sql/0001_initial"
UNITS = "storage/test_store_units.py"
ENDINGS = "storage/test_store_endings.py"
CONSTRAINTS = "storage/test_store_constraints.py"
WAITED = ("ledger/test_batch_that_waited.py",)
ALONE = f"{UNITS}::test_nobody_else_writes_what_a_unit_has_read"

STORAGE = (
    Sabotage(
        "BEGIN IMMEDIATE removed",
        "P8",
        f"{SQLITE_STORE}:SqliteStore._begin",
        '"BEGIN IMMEDIATE"',
        '"BEGIN"',
        (f"{ALONE}[sqlite]",),
    ),
    Sabotage(
        "accounts read without FOR UPDATE",
        "P8",
        f"{LEDGER_STATEMENTS}:LOCK_ACCOUNTS",
        "_accounts_named().with_for_update",
        "_accounts_named",
        (f"{ALONE}[postgresql]",),
    ),
    Sabotage(
        "batch read without FOR UPDATE",
        "P8",
        f"{BATCH_ROWS}:_element.locked",
        "named.with_for_update() if lock else named",
        "named",
        WAITED,
    ),
    Sabotage(
        "stale lots and keys used after waiting for a lock",
        "P8",
        f"{BATCH_ROWS}:lock_batch",
        "stale",
        "not found",
        WAITED,
    ),
    Sabotage(
        "locks taken in the order asked for",
        "P9",
        f"{LEDGER_STATEMENTS}:_accounts_named",
        ('select(*_ACCOUNT).where(InList(accounts.c.account_id, "list_ids")).order_by(accounts.c.account_id)'),
        ('select(*_ACCOUNT).where(InList(accounts.c.account_id, "list_ids")).order_by(accounts.c.account_id.desc())'),
        ("storage/test_store_identity.py::test_accounts_are_locked_in_the_order_of_their_bytes",),
    ),
    Sabotage(
        "a conflict reruns what is left of the unit",
        "P8",
        f"{SQLITE_STORE}:SqliteStore.write_by_attempt",
        "lambda: work(number)",
        "lambda: work.__dict__.setdefault('begun', work(1))",
        (f"{UNITS}::test_a_conflict_reruns_the_unit_from_its_start[sqlite]",),
    ),
    Sabotage(
        "every attempt is the first",
        "P8",
        f"{SQLITE_STORE}:SqliteStore.write_by_attempt",
        "lambda: work(number)",
        "lambda: work(1)",
        (f"{UNITS}::test_each_attempt_is_given_its_number[sqlite]",),
    ),
    Sabotage(
        "a conflict is given up at once",
        "P9",
        "billing_service.storage.store:ATTEMPTS_MAX",
        "6",
        "1",
        (f"{UNITS}::test_a_conflict_reruns_the_unit_from_its_start[sqlite]",),
    ),
    Sabotage(
        "a deadlock is a defect",
        "P9",
        "billing_service.storage.failures:_POSTGRES_CONFLICTS",
        "{'40001', '40P01', _LOCK_NOT_AVAILABLE}",
        "{'40001', _LOCK_NOT_AVAILABLE}",
        ("storage/test_postgres_store.py::test_a_deadlock_is_run_again",),
    ),
    Sabotage(
        "constraint errors swallowed",
        "P10",
        "billing_service.storage.sqlite.statements:drive",
        "wanted = unit.send(execute(wanted))",
        (
            "try:\n    answer = execute(wanted)\nexcept sqlite3.IntegrityError:\n    answer = 0\nwanted = "
            "unit.send(answer)"
        ),
        (f"{UNITS}::test_a_unit_cannot_swallow_a_statements_error[sqlite]",),
    ),
    Sabotage(
        "row counts not checked",
        "P10",
        f"{LEDGER_ROWS}:expect",
        "changed != expected",
        "changed > expected",
        (f"{UNITS}::test_a_write_that_changes_nothing_is_loud[sqlite]",),
    ),
    TextSabotage(
        "CHECK on lots dropped, SQLite",
        "P2",
        f"{SCHEMA}.sqlite.sql",
        "CHECK (remaining >= 0 AND remaining <= amount)",
        "CHECK (remaining <= amount)",
        (f"{CONSTRAINTS}::test_nonsense_is_refused",),
    ),
    TextSabotage(
        "CHECK on lots dropped, PostgreSQL",
        "P2",
        f"{SCHEMA}.postgresql.sql",
        "CHECK (remaining >= 0 AND remaining <= amount)",
        "CHECK (remaining <= amount)",
        (f"{CONSTRAINTS}::test_nonsense_is_refused",),
    ),
    TextSabotage(
        "CHECK on balances dropped",
        "P2",
        f"{SCHEMA}.sqlite.sql",
        "CHECK (balance >= -debt AND balance <= 9000000000000000)",
        "CHECK (balance <= 9000000000000000)",
        (f"{CONSTRAINTS}::test_nonsense_is_refused",),
    ),
    TextSabotage(
        "history may be changed",
        "P40",
        f"{SCHEMA}.sqlite.sql",
        "BEFORE UPDATE ON transactions\nBEGIN",
        "BEFORE UPDATE ON transactions WHEN old.version < 0\nBEGIN",
        (f"{CONSTRAINTS}::test_history_is_never_changed",),
    ),
    Sabotage(
        "synchronous=NORMAL",
        "P19",
        f"{SQLITE}:_WRITER_PRAGMAS",
        '"PRAGMA synchronous=FULL"',
        '"PRAGMA synchronous=NORMAL"',
        ("crash/test_durability.py::test_each_answer_stands_for_a_commit_of_a_database_that_syncs[sqlite]",),
    ),
    Sabotage(
        "synchronous=NORMAL after it was confirmed",
        "P19",
        f"{SQLITE}:open_sqlite",
        "await _confirm(writer)",
        ('await _confirm(writer)\nawait writer.execute_fetchall("PRAGMA synchronous=NORMAL")'),
        ("crash/test_durability.py::test_the_disk_is_asked_once_at_least_for_each_answer",),
    ),
    Sabotage(
        "PostgreSQL's fsync and synchronous_commit not confirmed",
        "P19",
        f"{POSTGRES_SESSION}:confirm",
        "unsafe",
        "len(unsafe) > len(rows)",
        ("storage/test_postgres_store.py::test_unsafe_settings_are_refused",),
    ),
    Sabotage(
        "sessions commit asynchronously",
        "P19",
        f"{POSTGRES_SESSION}:LIMITS",
        (
            "{'synchronous_commit': 'on', 'lock_timeout': str(LOCK_TIMEOUT_MS), 'statement_timeout': "
            "str(STATEMENT_TIMEOUT_MS), 'idle_in_transaction_session_timeout': "
            "str(IDLE_IN_TRANSACTION_TIMEOUT_MS), 'default_transaction_isolation': 'read committed'}"
        ),
        (
            "{'lock_timeout': str(LOCK_TIMEOUT_MS), 'statement_timeout': str(STATEMENT_TIMEOUT_MS), "
            "'idle_in_transaction_session_timeout': str(IDLE_IN_TRANSACTION_TIMEOUT_MS), "
            "'default_transaction_isolation': 'read committed'}"
        ),
        ("storage/test_postgres_store.py::test_sessions_are_bounded_and_durable",),
    ),
    Sabotage(
        "each transaction lowers its own durability",
        "P19",
        f"{POSTGRES}:PostgresStore._drive",
        "await connection.execute(begin)",
        ('await connection.execute(begin)\nawait connection.execute("SET LOCAL synchronous_commit = off")'),
        ("storage/test_transaction_durability.py::test_every_transaction_waits_for_the_disk[postgresql]",),
    ),
    Sabotage(
        "answered before the commit",
        "P18",
        f"{SQLITE_STORE}:SqliteStore._transact",
        (
            "with self._committed(self._begin_waiting(connection)) as raw:\n    return drive(unit, wanted, "
            "partial(self._execute, raw), self.counters)"
        ),
        (
            "if connection._conn.in_transaction:\n"
            '    connection._conn.execute("COMMIT")\n'
            "return drive(unit, wanted, partial(self._execute, self._begin_waiting(connection)), self.counters)"
        ),
        (f"{UNITS}::test_reads_hold_all_that_was_acknowledged[sqlite]",),
    ),
    Sabotage(
        "commit not shielded from the caller's cancellation",
        "P12",
        f"{POSTGRES}:PostgresStore._finish",
        "asyncio.shield(task)",
        "task",
        (f"{ENDINGS}::test_a_cancelled_caller_does_not_stop_what_began[postgresql]",),
    ),
    Sabotage(
        "closing waits for no transaction",
        "P37",
        f"{POSTGRES}:PostgresStore.close",
        ("while self._running:\n    await asyncio.wait(self._running)"),
        ("for running in list(self._running):\n    running.cancel()"),
        (f"{ENDINGS}::test_closing_waits_for_what_began[postgresql]",),
    ),
    Sabotage(
        "the probe always succeeds",
        "P36",
        f"{SQLITE_STORE}:SqliteStore._probe",
        "await self._call(self._writer, self._commit_nothing)",
        "self._confirm_file()",
        (f"{ENDINGS}::test_a_probe_needs_the_right_to_write",),
    ),
    Sabotage(
        "a read-only server passes the probe",
        "P36",
        f"{POSTGRES}:PostgresStore._begin_and_roll_back",
        'await connection.fetchval("SHOW transaction_read_only") != "off"',
        'await connection.fetchval("SHOW transaction_read_only") == ""',
        (f"{ENDINGS}::test_a_probe_refuses_a_read_only_server",),
    ),
    Sabotage(
        "a second process may have the file",
        "P25",
        "billing_service.storage.sqlite.file_lock:FileLock.__init__",
        "fcntl.LOCK_EX",
        "fcntl.LOCK_SH",
        ("crash/test_storage_faults.py::test_a_second_process_on_the_same_file_does_not_start",),
    ),
    Sabotage(
        "readers checkpoint too",
        "P25",
        f"{SQLITE}:_READER_PRAGMAS",
        (
            "(f'PRAGMA busy_timeout={round(BUSY_TIMEOUT_S * 1000)}', 'PRAGMA query_only=ON', 'PRAGMA "
            "wal_autocheckpoint=0')"
        ),
        "(f'PRAGMA busy_timeout={round(BUSY_TIMEOUT_S * 1000)}', 'PRAGMA query_only=ON')",
        ("storage/test_sqlite_store.py::test_only_the_writer_writes_and_checkpoints",),
    ),
)
