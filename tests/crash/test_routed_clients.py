"""Clients that know two processes on one database: each account has its process, and a process that is killed costs no
call and doubles none."""

import asyncio
import threading

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, Usage
from billing_client.routing import ranked
from google.protobuf.json_format import ParseDict

from tests.support.client_journal import CREDIT, grant, stored, verify
from tests.support.metered import cost, tokens
from tests.support.service_process import running_process

NAMES = [f"user-{number}" for number in range(12)]
GIVEN = 100_000
KILLS = 2


class Load:
    """Callers of both clients, one after the other's account."""

    def __init__(self):
        self.done = {}
        self.stopped = threading.Event()

    async def call(self, client, number):
        count = 0
        while not self.stopped.is_set():
            count += 1
            name, key = NAMES[(number + count) % len(NAMES)], f"async-{number}-{count}"
            answer = await client.deduct_credits(account_id=name, amount_microcredits=CREDIT, idempotency_key=key)
            self.done[name, key] = answer.transaction_id

    def call_blocking(self, client, number):
        count = 0
        while not self.stopped.is_set():
            count += 1
            name, key = NAMES[(number + count) % len(NAMES)], f"blocking-{number}-{count}"
            answer = client.deduct_credits(account_id=name, amount_microcredits=CREDIT, idempotency_key=key)
            self.done[name, key] = answer.transaction_id


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.timeout(240)
async def test_a_process_that_is_killed_costs_no_call(database, settings, forker, tmp_path):
    load = Load()
    async with (
        running_process(forker, settings, tmp_path / "first.log") as first,
        running_process(forker, settings, tmp_path / "second.log") as second,
        grpc.aio.insecure_channel(first.address) as channel,
    ):
        for name in NAMES:
            await grant(channel, name, GIVEN)
        target = f"{first.address},{second.address}"
        async with AsyncBillingClient(target) as client:
            with BillingClient(target) as blocking:
                async with asyncio.TaskGroup() as running:
                    for number in range(6):
                        running.create_task(load.call(client, number))
                    for number in range(2):
                        running.create_task(asyncio.to_thread(load.call_blocking, blocking, number))
                    running.create_task(_kill(load, first, second))
        async with grpc.aio.insecure_channel(second.address) as other:
            await verify(other)
    keys, transactions, balances = stored(database)
    spent = {(name, key) for name, key, _ in keys if not key.startswith("g-")}
    assert spent == load.done.keys()
    assert len(transactions) == len(load.done) == len(set(load.done.values()))
    for name in NAMES:
        assert balances[name] == (GIVEN - sum(account == name for account, _ in load.done)) * CREDIT


async def _kill(load, *services):
    try:
        for kill in range(KILLS):
            await asyncio.sleep(0.5)
            service = services[kill % len(services)]
            await service.kill()
            before = len(load.done)
            while len(load.done) < before + 50:  # noqa: ASYNC110 - the load tells nobody
                await asyncio.sleep(0.01)
            await service.start()
    finally:
        load.stopped.set()


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.timeout(120)
async def test_a_session_goes_on_in_another_process(settings, forker, tmp_path):
    """It stays with one process as long as that lives."""
    async with (
        running_process(forker, settings, tmp_path / "first.log") as first,
        running_process(forker, settings, tmp_path / "second.log") as second,
        grpc.aio.insecure_channel(first.address) as channel,
    ):
        await grant(channel, "a", GIVEN)
        target = f"{first.address},{second.address}"
        own, other = (first, second) if ranked(tuple(target.split(",")), "a")[0] == first.address else (second, first)
        async with (
            AsyncBillingClient(target) as client,
            client.meter_session(account_id="a", slice_microcredits=CREDIT, timeout_s=30) as session,
        ):
            await session.tick(ParseDict(tokens(0, 100), Usage()))
            await session.flush()
            await other.kill()
            await session.tick(ParseDict(tokens(0, 150), Usage()))
            await session.flush()
            await other.start()
            await own.kill()
            await session.tick(ParseDict(tokens(0, 200), Usage()))
            await session.flush()
            closed = await session.close()
        assert closed.charged_microcredits == cost(0, 200)
