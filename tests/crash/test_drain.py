"""SIGTERM: NOT_SERVING, no new calls, those in flight finish, exit code 0. A deployment costs callers nothing."""

import asyncio
import signal

import grpc
import pytest
from billing_client import AsyncBillingClient
from billing_client.errors import Failure

from tests.support.client_journal import CREDIT, grant, stored, verify
from tests.support.run_length import LONG
from tests.support.service_process import running_process, wait_for_health

RESTARTS = 100 if LONG else 5
CALLERS = 16
GIVEN = 1_000_000
STILL_DOWN_S = 20.0
AT_ONCE_S = 30.0
"""A process on a busy machine takes seconds to end; the wait and the grace that it is to leave out are 60 s each."""


class Load:
    """Callers with the product's own client. `patient` ones repeat a call without an answer with its key, as the client
    asks."""

    def __init__(self, client, *, patient):
        self.client = client
        self.patient = patient
        self.done = {}
        self.stopped = False

    async def run(self, number):
        count = 0
        while not self.stopped:
            count += 1
            key = f"{number}-{count}"
            self.done[key] = (await self._deduct(key)).transaction_id

    async def _deduct(self, key):
        async with asyncio.timeout(STILL_DOWN_S):
            while True:
                try:
                    return await self.client.deduct_credits(
                        account_id="a", amount_microcredits=CREDIT, idempotency_key=key
                    )
                except Failure:
                    if not self.patient:
                        raise

    def check(self, database):
        keys, deductions, balances = stored(database)
        assert {key for _, key, _ in keys if not key.startswith("g-")} == self.done.keys()
        assert len(deductions) == len(self.done) == len(set(self.done.values()))
        assert balances["a"] == (GIVEN - len(self.done)) * CREDIT


async def prepare(address):
    async with grpc.aio.insecure_channel(address) as channel:
        await grant(channel, "a", GIVEN)


async def finish(address):
    async with grpc.aio.insecure_channel(address) as channel:
        await verify(channel)


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.timeout(900 if LONG else 120)
async def test_restarts_of_the_only_process_fail_nothing_and_double_nothing(database, settings, forker, tmp_path):
    async with (
        running_process(forker, settings, tmp_path / "service.log") as service,
        AsyncBillingClient(service.address) as client,
    ):
        await prepare(service.address)
        load = Load(client, patient=True)
        async with asyncio.TaskGroup() as running:
            for number in range(CALLERS):
                running.create_task(load.run(number))
            for _ in range(RESTARTS):
                await asyncio.sleep(0.2)
                assert await service.stop() == 0
                await service.start()
            load.stopped = True
        await finish(service.address)
    load.check(database)


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.timeout(900 if LONG else 120)
async def test_with_two_processes_the_clients_own_retries_hide_every_restart(database, settings, forker, tmp_path):
    async with (
        running_process(forker, settings, tmp_path / "first.log") as first,
        running_process(forker, settings, tmp_path / "second.log") as second,
        AsyncBillingClient(f"ipv4:{first.address},{second.address}", plaintext=True) as client,
    ):
        await prepare(first.address)
        load = Load(client, patient=False)
        async with asyncio.TaskGroup() as running:
            for number in range(CALLERS):
                running.create_task(load.run(number))
            for restart in range(RESTARTS):
                await asyncio.sleep(0.2)
                service = (first, second)[restart % 2]
                assert await service.stop() == 0
                await service.start()
            load.stopped = True
        await finish(first.address)
    load.check(database)


@pytest.mark.parametrize("store_name", ["sqlite"])
async def test_a_second_sigterm_ends_the_drain_at_once(settings, forker, tmp_path):
    waiting = {"BILLING_DRAIN_WAIT_S": "60", "BILLING_GRACE_S": "60"}
    async with running_process(forker, {**settings, **waiting}, tmp_path / "service.log") as service:
        service.signal(signal.SIGTERM)
        await wait_for_health(service.address, "NOT_SERVING")
        service.signal(signal.SIGTERM)
        async with asyncio.timeout(AT_ONCE_S):
            assert await service.ended() == 0
