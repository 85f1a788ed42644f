"""Three of ten requests and three of ten replies are lost between client and service: each logical deduction has one
effect all the same."""

import asyncio
import os
import random
import sys

import grpc
import pytest
from billing_client import AsyncBillingClient, new_idempotency_key
from billing_client.errors import Failure
from billing_client.retries import ATTEMPTS_MAX

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.load.lossy_proxy import running_proxy
from tests.support.client_journal import CREDIT, grant, stored, verify
from tests.support.service_process import service_settings

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
DEDUCTIONS = 10_000 if LONG else 500
AT_ONCE = 200 if LONG else 100
LOSSES = {"requests_lost": 0.3, "replies_lost": 0.3, "silent": 0.03}
TIMEOUT_S = 2.0
GIVEN = 1_000_000


class Callers:
    """They repeat with the key of a failure, as the client asks, until they know."""

    def __init__(self, client):
        self._client = client
        self._room = asyncio.Semaphore(AT_ONCE)
        self.tries = {}
        """Calls of the client by key; each may be several attempts."""
        self.transactions = {}
        self.named = set()
        """Keys of which a failure said that there was no answer."""

    async def deduct(self):
        key = new_idempotency_key()
        self.tries[key] = 0
        async with self._room:
            while key not in self.transactions:
                self.tries[key] += 1
                try:
                    answer = await self._client.deduct_credits(
                        account_id="a", amount_microcredits=CREDIT, idempotency_key=key, timeout_s=TIMEOUT_S
                    )
                except Failure as failure:
                    self.named.add(failure.idempotency_key)
                else:
                    self.transactions[key] = answer.transaction_id


@pytest.mark.timeout(600 if LONG else 120)
async def test_each_logical_deduction_has_one_effect_whatever_is_lost(database):
    seed = random.randrange(2**32)
    async with (
        open_service(load_settings(service_settings(database))) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        await grant(channel, "a", GIVEN)
        async with (
            running_proxy(service.address, seed, **LOSSES) as (proxy, address),
            AsyncBillingClient(address) as client,
        ):
            callers = Callers(client)
            await asyncio.gather(*(callers.deduct() for _ in range(DEDUCTIONS)))
        await verify(channel)
    sys.stdout.write(f"seed {seed}: {sum(proxy.attempts.values())} attempts, {dict(proxy.fates)}\n")
    assert {"request lost", "request lost in silence", "reply lost", "passed"} <= proxy.fates.keys()
    for key, tries in callers.tries.items():
        assert proxy.attempts[key] <= ATTEMPTS_MAX * tries
    assert callers.named == {key for key, tries in callers.tries.items() if tries > 1} != set()
    keys, deductions, balances = stored(database)
    assert {key for _, key, _ in keys if not key.startswith("g-")} == callers.transactions.keys()
    assert {transaction_id for _, transaction_id, _ in deductions} == set(callers.transactions.values())
    assert len(deductions) == DEDUCTIONS
    assert balances["a"] == (GIVEN - DEDUCTIONS) * CREDIT
