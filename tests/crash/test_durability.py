"""Acknowledged is durable: the disk is asked to keep each commit before its answer leaves."""

import struct
from pathlib import Path

import grpc
import pytest
from billing_client import AsyncBillingClient

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.crash.preloading import compile_preload
from tests.support.changed_program import STORE, SYNCS_LESS, changed_program
from tests.support.client_journal import CREDIT, grant
from tests.support.service_process import running_forker, running_process, service_settings

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
    library, count = compile_preload(SOURCE, tmp_path), tmp_path / "syncs"
    count.write_bytes(bytes(8))
    return library, count


async def syncs_of_deductions(database, counter, tmp_path, **variables):
    """How often the disk was asked to sync while deductions were answered one by one."""
    library, count = counter

    def syncs():
        return struct.unpack("l", count.read_bytes())[0]

    with running_forker(LD_PRELOAD=str(library), COUNT_SYNCS=str(count), **variables) as forker:
        async with running_process(forker, service_settings(database), tmp_path / "service.log") as service:
            before = syncs()
            await deduct_one_by_one(service.address)
            asked = syncs() - before
            assert await service.stop() == 0
    return asked


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_the_disk_is_asked_once_at_least_for_each_answer(database, counter, tmp_path):
    assert await syncs_of_deductions(database, counter, tmp_path) >= DEDUCTIONS


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_program_that_syncs_less_is_seen(database, counter, tmp_path):
    """With synchronous=NORMAL, which the product refuses; or the count would prove nothing."""
    less = changed_program(tmp_path / "program", STORE, SYNCS_LESS)
    assert await syncs_of_deductions(database, counter, tmp_path, PYTHONPATH=less) < DEDUCTIONS / 2


async def test_each_answer_stands_for_a_commit_of_a_database_that_syncs(database):
    async with open_service(load_settings(service_settings(database))) as service:
        store = service.environment.store
        before = store.counters.commits
        await deduct_one_by_one(service.address)
        assert store.counters.commits - before >= DEDUCTIONS
        if database.store == "sqlite":
            assert [tuple(row) for row in await store._writer.execute_fetchall("PRAGMA synchronous")] == [(2,)]
        else:
            async with store._pool.acquire() as connection:
                settings = await connection.fetch(
                    "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", list(SAFE)
                )
            assert {row["name"]: row["setting"] for row in settings} == SAFE


SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
