"""A reader that does not end lets SQLite's write-ahead log grow: writes go on, the alert fires, and the log shrinks
afterwards."""

import sqlite3
from contextlib import closing

import pytest

from billing_service.domain.access.audit import AuditRecord
from billing_service.storage.rows.access import AUDIT
from billing_service.storage.sqlite.connections import WAL_BYTES_KEPT
from tests.monitoring.alert_rules import check
from tests.support.stack import CREDIT

THRESHOLD_BYTES = 64 * 1024 * 1024
ROUND_CHARACTERS = 4 * 1024 * 1024
ROUNDS_MAX = 40
SERIES = "billing_sqlite_wal_bytes{}"


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_reader_that_does_not_end(watched, database, tmp_path):
    async with watched(database.url) as running:
        client, store = running.stack.client, running.stack.service.environment.store
        await client.grant_credits(account_id="alice", amount_microcredits=1_000 * CREDIT, reason="gift")
        before, sizes = running.scrape(), []

        async def spend():
            """A deduction, and a record that is long enough to get somewhere."""
            record = AuditRecord(f"aud_{len(sizes):04}", 0, "tests", "", "Fill", "alice", "x" * ROUND_CHARACTERS)
            await store.write(lambda: AUDIT.add(record))
            await client.deduct_credits(account_id="alice", amount_microcredits=CREDIT)
            sizes.append(running.sample(SERIES))

        with closing(sqlite3.connect(f"file:{database.path}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM accounts").fetchone()
            while sizes[-1:] <= [THRESHOLD_BYTES]:
                await spend()
                assert len(sizes) < ROUNDS_MAX
            assert sizes == sorted(sizes)
            check(tmp_path, before, running.scrape(), fired=["BillingWalGrows"])
        while sizes[-1] > WAL_BYTES_KEPT:
            await client.deduct_credits(account_id="alice", amount_microcredits=CREDIT)
            sizes.append(running.sample(SERIES))
            assert len(sizes) < ROUNDS_MAX
        check(tmp_path, before, running.scrape(), quiet=["BillingWalGrows"])
        assert await running.stack.available("alice") == 1_000 - len(sizes)
