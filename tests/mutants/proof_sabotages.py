"""Sabotages of the proof itself: `billing verify` and the backup."""

from tests.mutants.sabotage import Sabotage

UNREACHED = "billing_service.integrity.unreached"
CHECK = "billing_service.integrity.account_check"
PROVING = "integrity/test_verify.py"
TAMPERING = f"{PROVING}::test_tampering_shows"

PROOF = (
    Sabotage(
        "verify does not follow hashes",
        "P40",
        f"{CHECK}:AccountCheck._compare_newer",
        'self._compare(f"{newer.transaction_id} hash", link(older_hash, newer), newer.hash)',
        "self._compare('hash', len(older_hash), len(newer.hash))",
        (f"{TAMPERING}[sqlite-column description]",),
    ),
    Sabotage(
        "verify believes a price record that the first format does not hash",
        "P40",
        f"{CHECK}:AccountCheck._follow_texts",
        "transaction.salt + transaction.erased_digest + transaction.price_record",
        "transaction.salt + transaction.erased_digest",
        (
            "integrity/test_erased_texts.py::test_a_row_of_the_first_format_has_nothing_of_the_second[sqlite-price_record]",
        ),
    ),
    Sabotage(
        "verify counts erased texts as nothing",
        "P40",
        f"{CHECK}:AccountCheck._follow_texts",
        "self._report.erased += 1",
        "self._report.erased += 0",
        (
            "integrity/test_erased_texts.py::test_erased_texts_are_counted_and_nothing_less_passes_for_them[sqlite-whole]",
        ),
    ),
    Sabotage(
        "verify does not add up entries",
        "P1",
        f"{CHECK}:AccountCheck._follow",
        'self._compare(f"{name} amount", effect, transaction.amount)',
        "",
        (
            f"{PROVING}::test_a_history_written_again_from_some_point_shows[sqlite]",
            f"{TAMPERING}[sqlite-entry amount]",
            PROVING,
        ),
    ),
    Sabotage(
        "verify does not compare debt",
        "P41",
        f"{CHECK}:AccountCheck.end",
        'self._compare("debt", -places[Place.DEBT], stored.debt)',
        "",
        (f"{TAMPERING}[sqlite-debt invented]",),
    ),
    Sabotage(
        "verify overlooks rows beside the chains",
        "P40",
        f"{UNREACHED}:_counted",
        "int(transactions) != int(versions)",
        "int(transactions) < int(versions)",
        (f"{TAMPERING}[sqlite-row added beside the chain]",),
    ),
    Sabotage(
        "verify overlooks events ahead of their account",
        "P40",
        f"{UNREACHED}:_loose_events",
        'report.compare(account_id, f"version that event {event_id} belongs to", f"at most {reached}", version)',
        "report.compare(account_id, event_id, 0, 0)",
        (f"{TAMPERING}[sqlite-event ahead of its account]",),
    ),
    Sabotage(
        "verify overlooks loose entries",
        "P40",
        f"{UNREACHED}:_loose_entries",
        'report.compare(account_id, f"transaction {transaction_id} of an entry", "a row", "none")',
        'report.compare(account_id, f"transaction {transaction_id} of an entry", 0, 0)',
        (f"{TAMPERING}[sqlite-entry without transaction]",),
    ),
    Sabotage(
        "verify searches up to the last row that belongs to somebody",
        "P40",
        f"{UNREACHED}:_next_range",
        "(yield from loose(after, until)), until",
        "(yield from loose(after, until)) if rows else Report(), until",
        (f"{PROVING}::test_what_no_account_has_shows_wherever_it_lies",),
    ),
    Sabotage(
        "verify overlooks lots",
        "P41",
        f"{CHECK}:AccountCheck.end",
        ('self._compare(f"lot {place} remaining", places.get(place, 0), "none" if lot is None else lot.remaining)'),
        'self._compare(f"lot {place} remaining", 0, 0)',
        (f"{TAMPERING}[sqlite-lot raised]",),
    ),
    Sabotage(
        "verify ignores exported heads",
        "P40",
        f"{CHECK}:AccountCheck._follow",
        'self._compare(f"{name} exported hash", self._exported.hash, transaction.hash.hex())',
        'self._compare(f"{name} exported hash", 0, 0)',
        (f"{PROVING}::test_a_rewritten_history_shows_by_the_exported_heads_alone[sqlite]", PROVING),
    ),
    Sabotage(
        "PostgreSQL ends a search as it ends a call",
        "P40",
        "billing_service.storage.postgres.store:PostgresStore._execute",
        "statement.searches",
        "statement.searches and arguments",
        ("storage/test_postgres_store.py::test_a_search_takes_the_time_that_it_takes",),
    ),
    Sabotage(
        "a key is looked for in every account",
        "P24",
        "billing_service.storage.rows.keys:found_keys_sqlite.which",
        (
            "and_(keys.c.idempotency_key == named.c.value, keys.c.account_id == beside(NAMES[0]), keys.c.scope == "
            "beside(NAMES[2]))"
        ),
        "and_(keys.c.idempotency_key == named.c.value, keys.c.scope == beside(NAMES[2]))",
        ("storage/test_statement_plans.py::test_a_key_is_looked_up_by_all_that_makes_it_one_on_sqlite",),
    ),
    Sabotage(
        "connections to a server that vanished are tried one by one",
        "P21",
        "billing_service.storage.postgres.connections:Connections._distrust_all",
        "await self._pool.expire_connections()",
        "",
        ("storage/test_postgres_connections.py::test_when_one_gets_no_answer_none_is_asked_that_is_as_old",),
    ),
    Sabotage(
        "the sweep looks through all open lots",
        "P24",
        "billing_service.storage.rows.expiry:_EXPIRED_LOTS",
        (
            "select(lots.c.account_id).where(lots.c.is_open == literal_column('1'), "
            "lots.c.expire_time_us.is_not(None), lots.c.expire_time_us <= "
            "bindparam('now_us')).order_by(lots.c.expire_time_us)"
        ),
        (
            "select(lots.c.account_id).where(lots.c.is_open == literal_column('1'), "
            "lots.c.expire_time_us.is_not(None), lots.c.expire_time_us <= "
            "bindparam('now_us')).order_by(lots.c.account_id)"
        ),
        ("storage/test_statement_plans.py::test_no_table_is_read_to_its_end_on_sqlite[expiry_rows.EXPIRED]",),
    ),
)
