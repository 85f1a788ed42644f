"""Sabotages of how the database is reached, behind whom, and with which rights."""

from sabotage import Sabotage

URL = "billing_service/storage/postgres_url.py"
SERVER = "billing_service/storage/postgres_server.py"
CONNECT = "billing_service/storage/postgres_connect.py"
SESSION = "billing_service/storage/postgres_session.py"
RIGHTS = "billing_service/storage/postgres_rights.py"
POSTGRES = "billing_service/storage/postgres.py"
MIGRATE = "billing_service/storage/migrate.py"
READING = "storage/test_database_url.py"
TLS = "storage/test_database_tls.py"
HOSTS = "storage/test_database_hosts.py"
POOLERS = "storage/test_poolers.py"
LOCK = "storage/test_migration_lock.py"
ALLOWED = "storage/test_postgres_rights.py"

DATABASES = (
    Sabotage(
        "a server of another machine need not prove who it is",
        "P33",
        SERVER,
        'return "prefer" if address.is_local and self.tls.get("sslrootcert") != SYSTEM_ROOTS else "verify-full"',
        'return "prefer"',
        (f"{READING}::test_the_mode_in_force_and_what_is_said_of_it",),
    ),
    Sabotage(
        "required channel binding is forgotten",
        "P33",
        SERVER,
        "        if self.channel_binding_required:\n",
        "        if self.channel_binding_required and self.sslmode is None:\n",
        (f"{READING}::test_the_mode_in_force_and_what_is_said_of_it",),
    ),
    Sabotage(
        "the name in a certificate is not looked at",
        "P33",
        CONNECT,
        '    return {"dsn": "postgresql://?" + urlencode({**server.tls, "sslmode": mode}, quote_via=quote)}\n',
        '    mode = mode.replace("verify-full", "verify-ca")\n'
        '    return {"dsn": "postgresql://?" + urlencode({**server.tls, "sslmode": mode}, quote_via=quote)}\n',
        (f"{TLS}::test_a_certificate_of_another_name",),
    ),
    Sabotage(
        "what may be a part of a password is shown as an option",
        "P42",
        URL,
        'may_be_secret = "@" in query or not {"password", "sslpassword"}.isdisjoint(words)',
        "may_be_secret = False",
        (f"{READING}::test_what_cannot_be_read_is_refused_in_one_line",),
    ),
    Sabotage(
        "a plus in a URL is a space",
        "P33",
        URL,
        "    if _PERCENT.search(text):\n",
        '    text = text.replace("+", " ")\n    if _PERCENT.search(text):\n',
        (f"{READING}::test_users_and_passwords",),
    ),
    Sabotage(
        "a dead first host is the end",
        "P21",
        CONNECT,
        "                said.append(f",
        "                raise CannotConnectError(str(nobody)) from nobody\n                said.append(f",
        (f"{HOSTS}::test_a_dead_first_host",),
    ),
    Sabotage(
        "the first host eats the time of all",
        "P21",
        CONNECT,
        "            timeout=server.connect_timeout_s or CONNECT_TIMEOUT_S,\n",
        "            timeout=60,\n",
        (f"{HOSTS}::test_a_dead_first_host",),
    ),
    Sabotage(
        "a pooler of transactions is taken for one of sessions",
        "P9",
        SESSION,
        "    if shared:\n",
        "    if shared and second is None:\n",
        (f"{POOLERS}::test_a_pooler_of_transactions_is_refused",),
    ),
    Sabotage(
        "a pooler that lends in turn is not seen",
        "P9",
        SESSION,
        "    return again != process or others != await _process(second) or others != await _process(second)\n",
        "    return again != process\n",
        (f"{POOLERS}::test_a_pooler_of_transactions_is_refused",),
    ),
    Sabotage(
        "limits are set and not read back",
        "P9",
        SESSION,
        "    if not_in_force:\n",
        "    if len(not_in_force) > len(rows):\n",
        (f"{POOLERS}::test_a_limit_that_is_not_in_force_is_refused",),
    ),
    Sabotage(
        "limits go into the start-up packet",
        "P9",
        CONNECT,
        '    given = {"application_name": server.application_name or APPLICATION_NAME, "options": server.options}\n',
        '    given = {"application_name": server.application_name or APPLICATION_NAME, "options": server.options, "lock_timeout": "500"}\n',
        (f"{POOLERS}::test_sessions_serve_the_ledger",),
    ),
    Sabotage(
        "a start on the newest schema waits for the lock",
        "P23",
        MIGRATE,
        "        if missing is None:\n            return\n        await _take_lock",
        "        await _take_lock",
        (f"{LOCK}::test_on_the_newest_schema_nobody_waits",),
    ),
    Sabotage(
        "who waits for a migration waits for ever",
        "P23",
        MIGRATE,
        "        if time.monotonic() >= until:\n",
        "        if until < 0:\n",
        (f"{LOCK}::test_who_waits_too_long_gives_up",),
    ),
    Sabotage(
        "a service starts whatever its role may do",
        "P36",
        POSTGRES,
        "            await check_rights(connection, SERVING if writes else READING)\n",
        "            await check_rights(connection, READING)\n",
        (f"{ALLOWED}::test_each_right_that_is_missing_is_named_at_the_start",),
    ),
    Sabotage(
        "health is good without the right to write",
        "P36",
        POSTGRES,
        "                if missing:\n",
        "                if missing and self._disk_was_full:\n",
        (f"{ALLOWED}::test_rights_that_are_taken_away_are_seen_by_the_probe", "end_to_end/test_rights_taken_away.py"),
    ),
    Sabotage(
        "a right that is needed is not asked for",
        "P36",
        RIGHTS,
        '    "idempotency_keys": _FREED,\n',
        '    "idempotency_keys": _CHANGED,\n',
        ("storage/test_rights_that_are_needed.py",),
    ),
    Sabotage(
        "a right that was taken away is a defect",
        "P21",
        "billing_service/storage/failures.py",
        '    "42501",  # insufficient_privilege: a right was taken away from the role, and may come back\n',
        "",
        (f"{ALLOWED}::test_a_write_without_its_right_is_a_failure_and_not_a_defect",),
    ),
    Sabotage(
        "a file that can't be opened leaves a thread behind",
        "P42",
        MIGRATE,
        "        connection._thread.join()  # noqa: SLF001 - it was asked to stop, and must not outlive the loop that it answers to\n",
        "",
        ("storage/test_migrations.py::test_a_file_that_cannot_be_opened_leaves_no_thread",),
    ),
)
