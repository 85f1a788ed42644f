"""SQLite's write-ahead log stays near its limit under writes and reads that never pause."""

import asyncio
import os

import pytest
from ledger_setup import deduction, open_account

from billing_service.clock import TimeOrderedIds, system_clock_us
from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.journal import journal_bytes
from billing_service.storage.sqlite import AUTOCHECKPOINT_PAGES, WAL_BYTES_MAX
from billing_service.storage.statement_rows import newest_transaction, read_statement

WRITES = 100_000 if os.environ.get("BILLING_LONG_TESTS") == "1" else 10_000
WRITERS, READERS, ACCOUNTS = 16, 8, 100
SLACK_BYTES = AUTOCHECKPOINT_PAGES * 4_096
"""One checkpoint's worth: the log begins anew at the first commit after a checkpoint that meets no reader."""


def history(account_id):
    newest = yield from newest_transaction(account_id)
    return (yield from read_statement(account_id, newest, kind=0, start_us=0, end_us=2**62, page=100))


@pytest.mark.timeout(500)
@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_the_journal_stays_bounded_under_writes_and_reads(store, database):
    ids = TimeOrderedIds()
    for number in range(ACCOUNTS):
        await open_account(store, f"a{number}", clock=system_clock_us, ids=ids, microcredits=10**9)
    writer = LedgerWriter(store, system_clock_us, ids, batch_max=512, wait_s=0.003)
    numbers, written, reads, largest = iter(range(WRITES)), asyncio.Event(), 0, 0

    async def write():
        nonlocal largest
        for number in numbers:
            await writer.submit(deduction(f"a{number % ACCOUNTS}", 1, f"k{number}"))
            largest = max(largest, journal_bytes(database.path))

    async def read(first):
        nonlocal reads
        number = first
        while not written.is_set():
            number += READERS
            account_id = f"a{number % ACCOUNTS}"
            await store.read(lambda account_id=account_id: history(account_id))
            reads += 1

    reading = [asyncio.create_task(read(number)) for number in range(READERS)]
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    written.set()
    await asyncio.gather(*reading)
    await writer.close()
    assert reads > WRITES / 100
    assert WAL_BYTES_MAX / 2 < largest <= WAL_BYTES_MAX + SLACK_BYTES, f"{largest / 2**20:.1f} MiB, {store.counters.commits} transactions"
