"""Sabotages of how the database is reached, behind whom, and with which rights."""

from tests.mutants.sabotage import Sabotage

URL = "billing_service.storage.postgres.url"
SERVER = "billing_service.storage.postgres.server"
CONNECT = "billing_service.storage.postgres.connect"
SESSION = "billing_service.storage.postgres.session"
RIGHTS = "billing_service.storage.postgres.rights"
POSTGRES = "billing_service.storage.postgres.store"
MIGRATE = "billing_service.storage.migrate"
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
        f"{SERVER}:PostgresServer.sslmode_at",
        '"prefer" if address.is_local and self.tls.get("sslrootcert") != SYSTEM_ROOTS else "verify-full"',
        '"prefer"',
        (f"{READING}::test_the_mode_in_force_and_what_is_said_of_it",),
    ),
    Sabotage(
        "required channel binding is forgotten",
        "P33",
        f"{SERVER}:PostgresServer.sslmode_at",
        "self.channel_binding_required",
        "self.channel_binding_required and self.sslmode is None",
        (f"{READING}::test_the_mode_in_force_and_what_is_said_of_it",),
    ),
    Sabotage(
        "the name in a certificate is not looked at",
        "P33",
        f"{CONNECT}:_tls",
        (
            'if mode == "verify-full" and not _has_roots(server):\n'
            '    return {"ssl": _trusting_the_machine(server), "direct_tls": '
            'server.tls.get("sslnegotiation") == "direct"}'
        ),
        (
            'if mode == "verify-full" and not _has_roots(server):\n'
            '    return {"ssl": _trusting_the_machine(server), "direct_tls": '
            'server.tls.get("sslnegotiation") == "direct"}\n'
            'mode = mode.replace("verify-full", "verify-ca")'
        ),
        (f"{TLS}::test_a_certificate_of_another_name",),
    ),
    Sabotage(
        "what may be a part of a password is shown as an option",
        "P42",
        f"{URL}:_words.may_be_secret",
        '"@" in query or not {"password", "sslpassword"}.isdisjoint(words)',
        "False",
        (f"{READING}::test_what_cannot_be_read_is_refused_in_one_line",),
    ),
    Sabotage(
        "a plus in a URL is a space",
        "P33",
        f"{URL}:_decoded",
        (
            'if _PERCENT.search(text):\n    raise DatabaseUrlInvalid("has a % that begins no encoded character: write '
            'it as %25")'
        ),
        (
            'text = text.replace("+", " ")\n'
            "if _PERCENT.search(text):\n"
            '    raise DatabaseUrlInvalid("has a % that begins no encoded character: write it as %25")'
        ),
        (f"{READING}::test_users_and_passwords",),
    ),
    Sabotage(
        "a dead first host is the end",
        "P21",
        f"{CONNECT}:connect",
        'said.append(f"{address}: {nobody}")',
        ('raise CannotConnectError(str(nobody)) from nobody\nsaid.append(f"{address}: {nobody}")'),
        (f"{HOSTS}::test_a_dead_first_host",),
    ),
    Sabotage(
        "the first host eats the time of all",
        "P21",
        f"{CONNECT}:_connect_to.connection",
        "server.connect_timeout_s or CONNECT_TIMEOUT_S",
        "60",
        (f"{HOSTS}::test_a_dead_first_host",),
    ),
    Sabotage(
        "a pooler of transactions is taken for one of sessions",
        "P9",
        f"{SESSION}:refuse_shared_session",
        "shared",
        "shared and second is None",
        (f"{POOLERS}::test_a_pooler_of_transactions_is_refused",),
    ),
    Sabotage(
        "a pooler that lends in turn is not seen",
        "P9",
        f"{SESSION}:_takes_turns",
        "again != process or others != await _process(second) or others != await _process(second)",
        "again != process",
        (f"{POOLERS}::test_a_pooler_of_transactions_is_refused",),
    ),
    Sabotage(
        "limits are set and not read back",
        "P9",
        f"{SESSION}:confirm",
        "not_in_force",
        "len(not_in_force) > len(rows)",
        (f"{POOLERS}::test_a_limit_that_is_not_in_force_is_refused",),
    ),
    Sabotage(
        "limits go into the start-up packet",
        "P9",
        f"{CONNECT}:_connect_to.given",
        '{"application_name": server.application_name or APPLICATION_NAME, "options": server.options}',
        (
            '{"application_name": server.application_name or APPLICATION_NAME, "options": server.options, '
            '"lock_timeout": "500"}'
        ),
        (f"{POOLERS}::test_sessions_serve_the_ledger",),
    ),
    Sabotage(
        "a start on the newest schema waits for the lock",
        "P23",
        f"{MIGRATE}:migrate",
        ("if _migration_missing(await _revisions_of_server(connection)) is None:\n    return"),
        "",
        (f"{LOCK}::test_on_the_newest_schema_nobody_waits",),
    ),
    Sabotage(
        "who waits for a migration waits for ever",
        "P23",
        f"{MIGRATE}:_take_lock",
        "time.monotonic() >= until",
        "until < 0",
        (f"{LOCK}::test_who_waits_too_long_gives_up",),
    ),
    Sabotage(
        "a service starts whatever its role may do",
        "P36",
        f"{POSTGRES}:open_postgres",
        "SERVING if writes else READING",
        "READING",
        (f"{ALLOWED}::test_each_right_that_is_missing_is_named_at_the_start",),
    ),
    Sabotage(
        "health is good without the right to write",
        "P36",
        f"{POSTGRES}:PostgresStore._begin_and_roll_back",
        ("if missing:\n    raise storage_unavailable(missing)"),
        ("if missing and self._disk_was_full:\n    raise storage_unavailable(missing)"),
        (f"{ALLOWED}::test_rights_that_are_taken_away_are_seen_by_the_probe", "end_to_end/test_rights_taken_away.py"),
    ),
    Sabotage(
        "a right that is needed is not asked for",
        "P36",
        f"{RIGHTS}:SERVING",
        (
            "{'accounts': _CHANGED, 'alembic_version': _SEEN, 'api_keys': _CHANGED, 'audit_records': _ADDED, "
            "'balance_snapshots': _ADDED, 'corrections': _ADDED, "
            "'deduction_reversals': _CHANGED, 'deployment': _CHANGED, 'disputes': _CHANGED, 'entries': _ADDED, "
            "'feed': ('SELECT', 'UPDATE'), "
            "'holds': _CHANGED, "
            "'idempotency_keys': "
            "_FREED, 'limited_charges': _ADDED, "
            "'lots': _CHANGED, 'outbox': _FREED, 'profiles': _CHANGED, "
            "'purchase_references': _FREED, 'purchases': "
            "_CHANGED, 'rate_cards': _ADDED, 'reconciliation': ('SELECT', 'UPDATE'), 'referral_codes': _ADDED, "
            "'referrals': _CHANGED, 'refunds': _CHANGED, "
            "'sessions': _CHANGED, 'spend_limits': _FREED, "
            "'stripe_customers': _ADDED, 'stripe_events': _CHANGED, "
            "'taken_back_lots': _ADDED, 'transactions': _ADDED, "
            "'webhook_deliveries': _FREED, 'webhook_endpoint': ('SELECT', 'UPDATE')}"
        ),
        (
            "{'accounts': _CHANGED, 'alembic_version': _SEEN, 'api_keys': _CHANGED, 'audit_records': _ADDED, "
            "'balance_snapshots': _ADDED, 'corrections': _ADDED, "
            "'deduction_reversals': _CHANGED, 'deployment': _CHANGED, 'disputes': _CHANGED, 'entries': _ADDED, "
            "'feed': ('SELECT', 'UPDATE'), "
            "'holds': _CHANGED, "
            "'idempotency_keys': "
            "_CHANGED, 'limited_charges': _ADDED, "
            "'lots': _CHANGED, 'outbox': _FREED, 'profiles': _CHANGED, "
            "'purchase_references': _FREED, 'purchases': "
            "_CHANGED, 'rate_cards': _ADDED, 'reconciliation': ('SELECT', 'UPDATE'), 'referral_codes': _ADDED, "
            "'referrals': _CHANGED, 'refunds': _CHANGED, "
            "'sessions': _CHANGED, 'spend_limits': _FREED, "
            "'stripe_customers': _ADDED, 'stripe_events': _CHANGED, "
            "'taken_back_lots': _ADDED, 'transactions': _ADDED, "
            "'webhook_deliveries': _FREED, 'webhook_endpoint': ('SELECT', 'UPDATE')}"
        ),
        ("storage/test_rights_that_are_needed.py",),
    ),
    Sabotage(
        "a right that was taken away is a defect",
        "P21",
        "billing_service.storage.failures:_POSTGRES_UNAVAILABLE",
        "{'25006', '25P03', '3D000', '42501'}",
        "{'25006', '25P03', '3D000'}",
        (f"{ALLOWED}::test_a_write_without_its_right_is_a_failure_and_not_a_defect",),
    ),
)
