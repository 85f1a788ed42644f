"""Sabotages of what is kept: backups and restores, migrations, secrets, a disk that refuses, and what the product is made of."""

from sabotage import Sabotage

BACKUP = "billing_service/operations/backup.py"
RESTORE = "billing_service/operations/restore.py"
MANIFEST = "billing_service/operations/manifest.py"
MIGRATE = "billing_service/storage/migrate.py"
POSTGRES = "billing_service/storage/postgres.py"
SQLITE_STORE = "billing_service/storage/sqlite_store.py"
AUDIT = "supply_chain/audit.py"
RESTORING = "cli/test_restore.py"
UPGRADING = "upgrade/test_upgrade.py"
AUDITING = "supply_chain/test_audit.py"
SECRETS = "security/test_secrets_stay_secret.py"
LOADED = "crash/test_backup_under_load.py::test_each_backup_holds_what_was_acknowledged_before_it[sqlite]"

KEEPING = (
    Sabotage(
        "a restore replaces a database",
        "P22",
        RESTORE,
        "            os.link(partial, target)  # unlike a rename, it replaces nothing\n",
        "            shutil.copyfile(partial, target)\n",
        (f"{RESTORING}::test_a_database_that_comes_meanwhile_is_not_replaced",),
    ),
    Sabotage(
        "a restore leaves a journal of another database beside",
        "P22",
        RESTORE,
        'LEFT_BEHIND = ("", "-wal", "-shm", "-journal")',
        'LEFT_BEHIND = ("",)',
        (f"{RESTORING}::test_nothing_is_replaced",),
    ),
    Sabotage(
        "a restore beside a service that runs",
        "P22",
        RESTORE,
        "    lock = FileLock(target)  # nobody makes a database there meanwhile\n",
        '    lock = FileLock(target.with_name("other"))\n',
        (f"{RESTORING}::test_a_database_that_runs_is_not_touched",),
    ),
    Sabotage(
        "a restore does not look at what it copied",
        "P22",
        RESTORE,
        "        if sha256_of(partial, progress) != manifest.sha256:\n",
        "        if not manifest.sha256:\n",
        (f"{RESTORING}::test_a_backup_that_changes_after_its_proof_leaves_nothing",),
    ),
    Sabotage(
        "a backup is not proven by its ledger",
        "P22",
        RESTORE,
        "    if report.differences:\n",
        "    if not report:\n",
        ("cli/test_backup.py::test_damaged_backup_is_refused",),
    ),
    Sabotage(
        "a manifest without heads",
        "P22",
        MANIFEST,
        "        digest.update(head_line(account_id, version, last_hash))\n",
        "        digest.update(head_line(account_id, version, b''))\n",
        ("cli/test_backup.py::test_the_manifest_has_the_digest_of_the_heads",),
    ),
    Sabotage(
        "a backup copies the file without its journal",
        "P22",
        BACKUP,
        '        original.backup(copy, pages=PAGES_A_STEP, progress=lambda _, left, total: progress("pages copied", total - left, total))\n',
        "        partial.write_bytes(source.read_bytes())\n",
        (LOADED,),
    ),
    Sabotage(
        "a file is migrated beside its service",
        "P25",
        MIGRATE,
        "    lock = FileLock(file) if file is not None else None\n",
        "    lock = None\n",
        (f"{UPGRADING}::test_a_file_in_use_is_not_migrated[sqlite]",),
    ),
    Sabotage(
        "an older program takes a newer schema for its own",
        "P23",
        MIGRATE,
        "    return None if current == newest else ",
        "    return None if current else ",
        (f"{UPGRADING}::test_a_newer_program_on_an_older_schema[sqlite]",),
    ),
    Sabotage(
        "a newer schema is not known for one",
        "P23",
        MIGRATE,
        "    if current is not None and current not in {known.revision for known in script.walk_revisions()}:\n",
        "    if current == '':\n",
        (f"{UPGRADING}::test_an_older_program_does_not_start_on_a_newer_schema[sqlite-false]", UPGRADING),
    ),
    Sabotage(
        "migrations commit at each statement",
        "P23",
        MIGRATE,
        '        connection.exec_driver_sql("BEGIN IMMEDIATE")\n',
        "        del connection\n",
        (f"{UPGRADING}::test_a_migration_that_is_killed_at_any_step_leaves_all_or_nothing[sqlite]",),
    ),
    Sabotage(
        "stored replies are not those that were given",
        "P13",
        "billing_service/commands/unit.py",
        "        return Answer(stored.reply, replayed=True)\n",
        "        return Answer(stored.reply[:-2], replayed=True)\n",
        ("upgrade/test_replies_outlive_upgrades.py",),
    ),
    Sabotage(
        "a full disk is forgotten",
        "P21",
        POSTGRES,
        "            self._disk_was_full |= isinstance(error, asyncpg.DiskFullError)\n",
        "",
        ("crash/test_storage_faults.py::test_a_full_disk_of_postgresql_is_told_shown_and_survived",),
    ),
    Sabotage(
        "a disk that refuses is a defect",
        "P21",
        "billing_service/storage/failures.py",
        "    sqlite3.SQLITE_IOERR,\n",
        "",
        ("crash/test_failing_disk.py",),
    ),
    Sabotage(
        "a goodbye of the database is a defect",
        "P20",
        "billing_service/storage/failures.py",
        "    asyncpg.InternalClientError,  # the server's goodbye came, and the connection was used before its end was noticed\n",
        "",
        ("storage/test_postgres_store.py::test_a_goodbye_that_comes_before_the_end_of_its_connection",),
    ),
    Sabotage(
        "answers leave before their commit is on the disk",
        "P19",
        SQLITE_STORE,
        '                yield raw\n                raw.execute("COMMIT")\n',
        '                yield raw\n                raw.execute("COMMIT")\n                raw.execute("PRAGMA synchronous=OFF")\n',
        ("crash/test_power_loss.py::test_nothing_acknowledged_is_lost",),
    ),
    Sabotage(
        "tracebacks show variables",
        "P42",
        "billing_service/logs.py",
        "        structlog.processors.format_exc_info,\n",
        "        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=True)),\n",
        (f"{SECRETS}::test_no_traceback_shows_a_secret",),
    ),
    Sabotage(
        "what looks like a secret is logged as it is",
        "P42",
        "billing_service/logs.py",
        "        masked = masked_out.sub(MASK, masked)\n",
        "        pass\n",
        (f"{SECRETS}::test_a_provider_that_repeats_its_key", SECRETS),
    ),
    Sabotage(
        "the gateway logs what signs its events",
        "P42",
        "webhook_gateway/__main__.py",
        'log.info("listening", url=url,',
        'log.info("listening", url=url, secrets=settings.config().secrets,',
        (f"{SECRETS}::test_no_secret_is_logged_shown_told_or_stored[sqlite]",),
    ),
    Sabotage(
        "a mirror without advisories is believed",
        "P44",
        AUDIT,
        "    return bool(answers) and all(answer.is_known and answer.issues for answer in answers or [])\n",
        "    return bool(answers)\n",
        (f"{AUDITING}::test_what_nobody_looked_at_is_never_clean",),
    ),
    Sabotage(
        "packages of which a source knows nothing count as clean",
        "P44",
        AUDIT,
        "    if unheard:\n",
        "    if unheard is None:\n",
        (f"{AUDITING}::test_what_nobody_looked_at_is_never_clean",),
    ),
    Sabotage(
        "waivers last for ever",
        "P44",
        "supply_chain/waivers.py",
        "self.since <= today <= self.until",
        "self.since <= today",
        (f"{AUDITING}::test_a_waiver_counts_from_its_day_to_its_day",),
    ),
    Sabotage(
        "young releases are locked",
        "P44",
        "supply_chain/cooldown.py",
        "AGE_MIN = timedelta(days=7)",
        "AGE_MIN = timedelta(days=0)",
        (f"{AUDITING}::test_releases_were_public_for_a_week",),
    ),
)
