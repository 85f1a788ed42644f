"""Sabotages of the proof itself: `billing verify` and the backup."""

from sabotage import Sabotage

UNREACHED = "billing_service/operations/unreached.py"
CHECK = "billing_service/operations/account_check.py"
PROVING = "operations/test_verify.py"
TAMPERING = f"{PROVING}::test_tampering_shows"

PROOF = (
    Sabotage(
        "verify does not follow hashes",
        "P40",
        CHECK,
        '            self._compare(f"{newer.transaction_id} hash", link(older_hash, newer), newer.hash)\n',
        "            self._compare('hash', len(older_hash), len(newer.hash))\n",
        (f"{TAMPERING}[sqlite-column description]",),
    ),
    Sabotage(
        "verify does not add up entries",
        "P1",
        CHECK,
        '        self._compare(f"{name} amount", effect, transaction.amount)\n',
        "",
        (f"{PROVING}::test_a_history_written_again_from_some_point_shows[sqlite]", f"{TAMPERING}[sqlite-entry amount]", PROVING),
    ),
    Sabotage(
        "verify does not compare debt",
        "P41",
        CHECK,
        '        self._compare("debt", -places[Place.DEBT], stored.debt)\n',
        "",
        (f"{TAMPERING}[sqlite-debt invented]",),
    ),
    Sabotage(
        "verify overlooks rows beside the chains",
        "P40",
        UNREACHED,
        "    if int(transactions) != int(versions):\n",
        "    if int(transactions) < int(versions):\n",
        (f"{TAMPERING}[sqlite-row added beside the chain]",),
    ),
    Sabotage(
        "verify overlooks loose entries",
        "P40",
        UNREACHED,
        'of an entry", "a row", "none")',
        'of an entry", 0, 0)',
        (f"{TAMPERING}[sqlite-entry without transaction]",),
    ),
    Sabotage(
        "verify searches up to the last row that belongs to somebody",
        "P40",
        UNREACHED,
        "    return (yield from loose(after, until)), until\n",
        "    return (yield from loose(after, until)) if rows else Report(), until\n",
        (f"{PROVING}::test_what_no_account_has_shows_wherever_it_lies",),
    ),
    Sabotage(
        "verify overlooks lots",
        "P41",
        CHECK,
        'remaining", places.get(place, 0), "none" if lot is None else lot.remaining)',
        'remaining", 0, 0)',
        (f"{TAMPERING}[sqlite-lot raised]",),
    ),
    Sabotage(
        "verify ignores exported heads",
        "P40",
        CHECK,
        'exported hash", self._exported.hash, transaction.hash.hex())',
        'exported hash", 0, 0)',
        (f"{PROVING}::test_a_rewritten_history_shows_by_the_exported_heads_alone[sqlite]", PROVING),
    ),
    Sabotage(
        "PostgreSQL ends a search as it ends a call",
        "P40",
        "billing_service/storage/postgres.py",
        "        if statement.searches:\n",
        "        if statement.searches and arguments:\n",
        ("storage/test_postgres_store.py::test_a_search_takes_the_time_that_it_takes",),
    ),
    Sabotage(
        "a key is looked for in every account",
        "P24",
        "billing_service/storage/key_rows.py",
        "keys.c.account_id == beside(NAMES[0]), ",
        "",
        ("storage/test_statement_plans.py::test_a_key_is_looked_up_by_all_that_makes_it_one_on_sqlite",),
    ),
    Sabotage(
        "connections to a server that vanished are tried one by one",
        "P21",
        "billing_service/storage/postgres_connections.py",
        "        await self._pool.expire_connections()\n",
        "",
        ("storage/test_postgres_connections.py::test_when_one_gets_no_answer_none_is_asked_that_is_as_old",),
    ),
    Sabotage(
        "the sweep looks through all open lots",
        "P24",
        "billing_service/storage/expiry_rows.py",
        "    .order_by(lots.c.expire_time_us)\n",
        "    .order_by(lots.c.account_id)\n",
        ("storage/test_statement_plans.py::test_no_table_is_read_to_its_end_on_sqlite[expiry_rows.EXPIRED]",),
    ),
)
