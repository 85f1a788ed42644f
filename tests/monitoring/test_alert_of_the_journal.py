"""A reader that does not end lets SQLite's write-ahead log grow: writes go on, the alert fires, and the log shrinks afterwards."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from alert_rules import check
from ledger_setup import deduction, open_account

from billing_service.storage.sqlite import WAL_BYTES_MAX

ACCOUNTS = 256
THRESHOLD_BYTES = 64 * 1024 * 1024
SERIES = "billing_sqlite_wal_bytes{}"


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_reader_that_does_not_end(watched, database, tmp_path):
    async with watched(database.url) as running:
        environment = running.stack.service.environment
        for number in range(ACCOUNTS):
            await open_account(environment.store, f"a{number}", clock=environment.clock_us, ids=environment.ids, microcredits=10**9)
        before = running.scrape()
        rounds = 0

        async def spend():
            nonlocal rounds
            rounds += 1
            answers = [environment.writer.submit(deduction(f"a{number}", 1, f"k{rounds}")) for number in range(ACCOUNTS)]
            assert not any(answer.replayed for answer in await asyncio.gather(*answers))

        with closing(sqlite3.connect(f"file:{database.path}?mode=ro", uri=True, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM accounts").fetchone()
            while running.sample(SERIES) <= THRESHOLD_BYTES:
                await spend()
            check(tmp_path, before, running.scrape(), fired=["BillingJournalGrows"])
        grown = running.scrape()
        while running.sample(SERIES) > WAL_BYTES_MAX:
            await spend()
        check(tmp_path, before, running.scrape(), quiet=["BillingJournalGrows"])
        assert grown.samples[SERIES] > THRESHOLD_BYTES
