"""Sabotages of what is kept: backups and restores, migrations, secrets, a disk that refuses, and what the product is
made of."""

from tests.mutants.sabotage import Sabotage

BACKUP = "billing_service.integrity.backup"
RESTORE = "billing_service.integrity.restore"
MANIFEST = "billing_service.integrity.manifest"
MIGRATE = "billing_service.storage.migrate"
POSTGRES = "billing_service.storage.postgres.store"
SQLITE_STORE = "billing_service.storage.sqlite.store"
AUDIT = "supply_chain.audit"
RESTORING = "cli/test_restore.py"
UPGRADING = "upgrade/test_upgrade.py"
AUDITING = "supply_chain/test_audit.py"
SECRETS = "security/test_secrets_stay_secret.py"
LOADED = "crash/test_backup_under_load.py::test_each_backup_holds_what_was_acknowledged_before_it[sqlite]"

KEEPING = (
    Sabotage(
        "a restore replaces a database",
        "P22",
        f"{RESTORE}:_put",
        "os.link",
        "shutil.copyfile",
        (f"{RESTORING}::test_a_database_that_comes_meanwhile_is_not_replaced",),
    ),
    Sabotage(
        "a restore leaves a journal of another database beside",
        "P22",
        f"{RESTORE}:LEFT_BEHIND",
        '("", "-wal", "-shm", "-journal")',
        '("",)',
        (f"{RESTORING}::test_nothing_is_replaced",),
    ),
    Sabotage(
        "a restore beside a service that runs",
        "P22",
        f"{RESTORE}:restore_backup.lock",
        "target",
        'target.with_name("other")',
        (f"{RESTORING}::test_a_database_that_runs_is_not_touched",),
    ),
    Sabotage(
        "a restore does not look at what it copied",
        "P22",
        f"{RESTORE}:_put",
        "sha256_of(partial, progress) != manifest.sha256",
        "not manifest.sha256",
        (f"{RESTORING}::test_a_backup_that_changes_after_its_proof_leaves_nothing",),
    ),
    Sabotage(
        "a backup is not proven by its ledger",
        "P22",
        f"{RESTORE}:_prove",
        (
            "if report.differences:\n"
            "    raise BackupInvalidError(\n"
            '        [f"{d.account_id}: {d.subject}: the ledger says {d.expected}, stored is {d.stored}" for '
            "d in report.differences]\n"
            "    )"
        ),
        (
            "if not report:\n"
            "    raise BackupInvalidError(\n"
            '        [f"{d.account_id}: {d.subject}: the ledger says {d.expected}, stored is {d.stored}" for '
            "d in report.differences]\n"
            "    )"
        ),
        ("cli/test_backup.py::test_damaged_backup_is_refused",),
    ),
    Sabotage(
        "a manifest without heads",
        "P22",
        f"{MANIFEST}:_heads",
        "last_hash",
        "b''",
        ("cli/test_backup.py::test_the_manifest_has_the_digest_of_the_heads",),
    ),
    Sabotage(
        "a backup copies the file without its journal",
        "P22",
        f"{BACKUP}:_copy",
        (
            'original.backup(copy, pages=PAGES_A_STEP, progress=lambda _, left, total: progress("pages copied", '
            "total - "
            "left, total))"
        ),
        "partial.write_bytes(source.read_bytes())",
        (LOADED,),
    ),
    Sabotage(
        "a file is migrated beside its service",
        "P25",
        f"{MIGRATE}:_upgrade_file.lock",
        "None if is_kept else FileLock(path)",
        "None",
        (f"{UPGRADING}::test_a_file_in_use_is_not_migrated[sqlite]",),
    ),
    Sabotage(
        "an older program takes a newer schema for its own",
        "P23",
        f"{MIGRATE}:_migration_missing",
        "current == known[-1]",
        "current",
        (f"{UPGRADING}::test_a_newer_program_on_an_older_schema[sqlite]",),
    ),
    Sabotage(
        "a newer schema is not known for one",
        "P23",
        f"{MIGRATE}:_migration_missing",
        "current and current not in known",
        "current == '-'",
        (f"{UPGRADING}::test_an_older_program_does_not_start_on_a_newer_schema[sqlite-false]", UPGRADING),
    ),
    Sabotage(
        "migrations commit at each statement",
        "P23",
        "billing_service.storage.alembic_upgrade:_use_real_transactions._begin",
        'connection.exec_driver_sql("BEGIN IMMEDIATE")',
        "del connection",
        (f"{UPGRADING}::test_a_migration_that_is_killed_at_any_step_leaves_all_or_nothing[sqlite]",),
    ),
    Sabotage(
        "stored replies are not those that were given",
        "P13",
        "billing_service.ledger.keys:IdempotencyKey.replay",
        "Answer(reply, replayed=True)",
        "Answer(reply[:-2], replayed=True)",
        ("upgrade/test_replies_outlive_upgrades.py",),
    ),
    Sabotage(
        "a full disk is forgotten",
        "P21",
        f"{POSTGRES}:PostgresStore._guard",
        "self._disk_was_full |= isinstance(error, asyncpg.DiskFullError)",
        "",
        ("crash/test_storage_faults.py::test_a_full_disk_of_postgresql_is_told_shown_and_survived",),
    ),
    Sabotage(
        "a disk that refuses is a defect",
        "P21",
        "billing_service.storage.failures:_SQLITE_UNAVAILABLE",
        (
            "{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, "
            "sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, "
            "sqlite3.SQLITE_NOMEM}"
        ),
        (
            "{sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, "
            "sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM}"
        ),
        ("crash/test_failing_disk.py",),
    ),
    Sabotage(
        "a goodbye of the database is a defect",
        "P20",
        "billing_service.storage.failures:POSTGRES_ERRORS",
        (
            "(CannotConnectError, asyncpg.PostgresError, asyncpg.InterfaceError, "
            "asyncpg.InternalClientError, OSError, TimeoutError, EOFError)"
        ),
        ("(CannotConnectError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, EOFError)"),
        ("storage/test_postgres_store.py::test_a_goodbye_that_comes_before_the_end_of_its_connection",),
    ),
    Sabotage(
        "answers leave before their commit is on the disk",
        "P19",
        f"{SQLITE_STORE}:SqliteStore._committed",
        'raw.execute("COMMIT")',
        ('raw.execute("COMMIT")\nraw.execute("PRAGMA synchronous=OFF")'),
        ("crash/test_power_loss.py::test_nothing_acknowledged_is_lost",),
    ),
    Sabotage(
        "tracebacks show variables",
        "P42",
        "billing_service.logs:configure_logs.processors",
        "structlog.processors.format_exc_info",
        "structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=True))",
        (f"{SECRETS}::test_no_traceback_shows_a_secret",),
    ),
    Sabotage(
        "what looks like a secret is logged as it is",
        "P42",
        "billing_service.logs:_clean_text",
        "masked = masked_out.sub(MASK, masked)",
        "pass",
        (f"{SECRETS}::test_a_provider_that_repeats_its_key", SECRETS),
    ),
    Sabotage(
        "the gateway logs what signs its events",
        "P42",
        "webhook_gateway.__main__:serve",
        'log.info("listening", url=url, billing_address=settings.billing_address)',
        ('log.info("listening", url=url, secrets=settings.config().secrets, billing_address=settings.billing_address)'),
        (f"{SECRETS}::test_no_secret_is_logged_shown_told_or_stored[sqlite]",),
    ),
    Sabotage(
        "a mirror without advisories is believed",
        "P44",
        f"{AUDIT}:_is_trustworthy",
        "bool(answers) and all(answer.is_known and answer.issues for answer in answers or [])",
        "bool(answers)",
        (f"{AUDITING}::test_what_nobody_looked_at_is_never_clean",),
    ),
    Sabotage(
        "packages of which a source knows nothing count as clean",
        "P44",
        f"{AUDIT}:_judge",
        "unheard",
        "unheard is None",
        (f"{AUDITING}::test_what_nobody_looked_at_is_never_clean",),
    ),
    Sabotage(
        "waivers last for ever",
        "P44",
        "supply_chain.waivers:Waiver.waives",
        "self.since <= today <= self.until",
        "self.since <= today",
        (f"{AUDITING}::test_a_waiver_counts_from_its_day_to_its_day",),
    ),
    Sabotage(
        "young releases are locked",
        "P44",
        "supply_chain.cooldown:AGE_MIN",
        "7",
        "0",
        (f"{AUDITING}::test_releases_were_public_for_a_week",),
    ),
)
