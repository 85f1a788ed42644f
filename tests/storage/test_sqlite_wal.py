"""SQLite's write-ahead log stays near its limit under writes and reads that never pause."""

import asyncio
import os
import threading

import pytest
import structlog

from billing_service.clock import TimeOrderedIds, system_clock_us
from billing_service.domain.refusals import storage_unavailable
from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.rows.history import newest_transaction, read_history
from billing_service.storage.sqlite import store as sqlite_store
from billing_service.storage.sqlite import wal
from billing_service.storage.sqlite.connections import WAL_BYTES_KEPT
from billing_service.storage.sqlite.wal import wal_bytes
from tests.storage.raw_units import write_unit
from tests.support.ledger_setup import deduction, open_account

WRITES = 100_000 if os.environ.get("BILLING_LONG_TESTS") == "1" else 10_000
WRITERS, READERS, ACCOUNTS = 16, 8, 100
WAL_BYTES_MAX = 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("sizes", "due"),
    [
        ([0, 99], []),
        ([100], [100]),
        ([100, 100, 109, 110, 119, 120], [100, 110, 120]),
        ([150, 50, 100], [150, 100]),
        ([150, 155, 90, 155], [150, 155]),
    ],
    ids=["short", "long", "again when it has grown", "again when it was short", "short for a moment"],
)
def test_a_long_wal_is_told_of_once(tmp_path, monkeypatch, sizes, due):
    monkeypatch.setattr(wal, "LONG_BYTES", 100)
    monkeypatch.setattr(wal, "LONGER_BYTES", 10)
    watch, told = wal.WalWatch(tmp_path / "ledger.db"), []
    assert not watch.is_due(), "there is none yet"
    for size in sizes:
        (tmp_path / "ledger.db-wal").write_bytes(bytes(size))
        told += [size] if watch.is_due() else []
    assert told == due


def test_a_wal_that_cannot_be_looked_at_is_not_long(tmp_path):
    (tmp_path / "file").touch()
    assert not wal.WalWatch(tmp_path / "file" / "ledger.db").is_due()


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_reads_wait_until_a_long_wal_can_begin_anew(store, database, monkeypatch):
    monkeypatch.setattr(wal, "LONG_BYTES", 200_000)
    monkeypatch.setattr(wal, "LONGER_BYTES", 2**40)
    store._wal = wal.WalWatch(database.path)
    ids, reading, may_end = TimeOrderedIds(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def long_read():
        yield from newest_transaction("a")
        loop.call_soon_threadsafe(reading.set)
        may_end.wait(30)
        return (yield from newest_transaction("a"))

    async def write(transactions):
        for _ in range(transactions):
            await store.write(write_unit("UPDATE accounts SET create_time_us = create_time_us + 1"))
        return wal_bytes(database.path)

    await open_account(store, "a", clock=system_clock_us, ids=ids, microcredits=1)
    pinned = asyncio.create_task(store.read(long_read))
    await reading.wait()
    try:
        grown = await write(100)
        assert grown > 200_000, "nobody who writes waits for a reader"
        assert store._readers.empty(), "the other one is kept from reading, too"
        later = asyncio.create_task(store.read(lambda: newest_transaction("a")))
    finally:
        may_end.set()
    assert await pinned == await later
    assert await write(50) == grown, "it has begun anew"


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_checkpoint_that_fails_is_told_and_keeps_no_reader(store, monkeypatch):
    def fail(_connection):
        raise storage_unavailable("no disk")

    monkeypatch.setattr(sqlite_store, "checkpoint", fail)
    with structlog.testing.capture_logs() as logs:
        await store._shorten_journal()
    assert [(line["event"], line["error"]) for line in logs] == [("wal_not_checkpointed", "no disk")]
    assert store._readers.qsize() == len(store._all_readers)


def history(account_id):
    newest = yield from newest_transaction(account_id)
    return (yield from read_history(account_id, newest, kind=0, start_us=0, end_us=2**62, page=100))


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
            largest = max(largest, wal_bytes(database.path))

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
    assert WAL_BYTES_KEPT / 2 < largest <= WAL_BYTES_MAX, (
        f"{largest / 2**20:.1f} MiB, {store.counters.commits} transactions"
    )
