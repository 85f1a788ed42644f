"""What a run left in the database, in a form in which two runs can be compared: every row of every table, by plain
SQL."""

import sqlite3
from collections import defaultdict
from contextlib import closing

from billing_service.storage.schema import metadata
from tests.support.databases import connect_to, run_apart
from tests.support.fault_service import TAG, renamed

BYSTANDER = "bystander"
FROM_CHANCE = {"hash", "salt", "last_hash", "fingerprint", "secret_hash", "referral_code", "key_id"}
FROM_TRIES = {"attempt", "customer_attempt", "attempt_count"}
"""How often something was tried is no effect."""
OF_ALL_RUNS = {"feed", "reconciliation", "webhook_endpoint"}
"""Their one row belongs to no run."""


def pictures(database):
    """For each run's tag, its rows by table: (column, value) pairs with ids numbered in the order of their
    appearance."""
    rows = _read_sqlite(database.path) if database.store == "sqlite" else run_apart(_read_postgres(database.url))
    found = defaultdict(list)
    for table, columns, row in rows:
        if table in OF_ALL_RUNS:
            continue
        words = [_text(value) for value in row]
        tag = next((match[0] for match in map(TAG.search, words) if match), None)
        assert tag is not None or BYSTANDER in words, (table, row)
        if BYSTANDER not in words:
            kept = tuple(
                (name, word) for name, word in zip(columns, words, strict=True) if name not in FROM_CHANCE | FROM_TRIES
            )
            found[tag].append((table, kept))
    return found


def shown(picture, varies):
    """One run's rows as lines, without what may vary."""
    lines = [
        " ".join((table, *(f"{name}={word}" for name, word in row if f"{table}.{name}" not in varies)))
        for table, row in sorted(picture)
        if table not in varies
    ]
    return renamed("\n".join(lines)).split("\n")


def _text(value):
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def _read_sqlite(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        for table in metadata.sorted_tables:
            cursor = connection.execute(f"SELECT * FROM {table.name}")
            columns = [column[0] for column in cursor.description]
            yield from [(table.name, columns, row) for row in cursor]


async def _read_postgres(url):
    connection = await connect_to(url)
    try:
        found = []
        for table in metadata.sorted_tables:
            rows = await connection.fetch(f"SELECT * FROM {table.name}")
            found.extend((table.name, list(row.keys()), tuple(row.values())) for row in rows)
        return found
    finally:
        await connection.close()
