"""Acknowledged is durable: the disk is asked to keep each commit before its answer leaves."""

import shutil
import struct
import subprocess
from pathlib import Path

import grpc
import pytest
from billing_client import AsyncBillingClient
from client_journal import CREDIT, grant
from service_process import running_forker, running_process, service_settings

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings

DEDUCTIONS = 50
SOURCE = Path(__file__).with_name("count_syncs.c")


async def deduct_one_by_one(address):
    async with grpc.aio.insecure_channel(address) as channel:
        await grant(channel, "a", DEDUCTIONS)
    async with AsyncBillingClient(address) as client:
        for _ in range(DEDUCTIONS):
            await client.deduct_credits(account_id="a", amount_microcredits=CREDIT)


@pytest.fixture
def counter(tmp_path):
    """A library that counts syncs, and the file that it counts in."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("syncs are not counted: there is no C compiler")
    library, count = tmp_path / "count_syncs.so", tmp_path / "syncs"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    count.write_bytes(bytes(8))
    return library, count


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_the_disk_is_asked_once_at_least_for_each_answer(database, counter, tmp_path):
    library, count = counter

    def syncs():
        return struct.unpack("l", count.read_bytes())[0]

    with running_forker(LD_PRELOAD=str(library), COUNT_SYNCS=str(count)) as forker:
        async with running_process(forker, service_settings(database), tmp_path / "service.log") as service:
            before = syncs()
            await deduct_one_by_one(service.address)
            assert syncs() - before >= DEDUCTIONS
            assert await service.stop() == 0


async def test_each_answer_stands_for_a_commit_of_a_database_that_syncs(database):
    async with open_service(load_settings(service_settings(database))) as service:
        store = service.environment.store
        before = store.counters.commits
        await deduct_one_by_one(service.address)
        assert store.counters.commits - before >= DEDUCTIONS
        if database.store == "sqlite":
            assert [tuple(row) for row in await store._writer.execute_fetchall("PRAGMA synchronous")] == [(2,)]
        else:
            settings = await store._pool.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", list(SAFE))
            assert {row["name"]: row["setting"] for row in settings} == SAFE


SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
