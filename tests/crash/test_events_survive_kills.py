"""Processes are killed while business events are fed and delivered: consumer and backend get each at least once, and an
account's in order."""

import asyncio
import base64
import json
import sqlite3
from contextlib import closing

import grpc
import pytest
from billing_client import AsyncBillingClient, SpendWindow
from billing_client.errors import Failure

from tests.end_to_end.test_webhooks_sent import Backend
from tests.support.client_journal import grant
from tests.support.databases import execute_on
from tests.support.run_length import LONG
from tests.support.service_process import running_process, service_settings

KILLS = 20 if LONG else 3
ACCOUNTS = ("a", "b", "c")
SECRET = "whsec_" + base64.b64encode(b"an example key of 32 bytes, long").decode()
WITHIN_S = 90.0


class Made:
    """Makes events, one change of a limit after another, each acknowledged."""

    def __init__(self, client):
        self.client = client
        self.limits = {account: [] for account in ACCOUNTS}
        self.stopped = False

    async def run(self, account):
        limit = 0
        while not self.stopped:
            limit += 1
            while True:
                try:
                    await self.client.set_spend_limit(
                        account_id=account,
                        window=SpendWindow.SPEND_WINDOW_DAY,
                        limit_microcredits=limit,
                        idempotency_key=f"{account}-{limit}",
                    )
                    break
                except Failure:
                    await asyncio.sleep(0.05)
            self.limits[account].append(limit)
            await asyncio.sleep(0.01)


def first_seen(events):
    """Limits by account, each where it came first."""
    seen = {account: [] for account in ACCOUNTS}
    for account, limit in events:
        if limit not in seen[account]:
            seen[account].append(limit)
    return seen


async def consume(address, events):
    """Keeps its position after acting, and is broken off at any time."""
    position = ""
    while True:
        try:
            async with AsyncBillingClient(address) as client:
                async for told in client.tail_events(after=position, timeout_s=WITHIN_S):
                    events.append((told.event.account_id, int(told.event.detail["limit_microcredits"])))
                    if len(events) % 7 == 0:
                        break  # before the position is kept: killed between acting and keeping
                    position = told.position
        except Failure:
            await asyncio.sleep(0.05)


async def receive(backend, events):
    while True:
        _, _, body = await backend.requests.get()
        data = json.loads(body)["data"]
        events.append((data["account_id"], int(data["detail"]["limit_microcredits"])))


async def end_lease(database):
    """As if the time of the process that died were over: else nothing is delivered for 45 s."""
    statement = "UPDATE webhook_endpoint SET lease_until_us = 0"
    if database.store == "postgresql":
        await execute_on(database.url, statement)
        return
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.timeout(300)
async def test_kills_lose_no_event_and_change_no_order(database, forker, tmp_path):
    async with Backend().running() as backend:
        settings = service_settings(database, BILLING_WEBHOOK_URL=backend.url, BILLING_WEBHOOK_SECRETS=SECRET)
        async with running_process(forker, settings, tmp_path / "log") as service:
            async with grpc.aio.insecure_channel(service.address) as channel:
                for account in ACCOUNTS:
                    await grant(channel, account, 1)
            await asyncio.sleep(1.5)  # deliveries begin with what happens from now on
            fed, sent = [], []
            async with AsyncBillingClient(service.address) as client:
                made = Made(client)
                makers = [asyncio.ensure_future(made.run(account)) for account in ACCOUNTS]
                readers = [
                    asyncio.ensure_future(consume(service.address, fed)),
                    asyncio.ensure_future(receive(backend, sent)),
                ]
                for number in range(KILLS):
                    await asyncio.sleep(0.6 + 0.1 * number)
                    await service.kill()
                    await end_lease(database)
                    await service.start()
                made.stopped = True
                await asyncio.gather(*makers)
                async with asyncio.timeout(WITHIN_S):
                    while not first_seen(fed) == first_seen(sent) == made.limits:  # noqa: ASYNC110 - other processes
                        await asyncio.sleep(0.05)
                for reader in readers:
                    reader.cancel()
    assert all(len(limits) > KILLS for limits in made.limits.values())
