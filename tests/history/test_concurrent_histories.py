"""Many callers race on few accounts while the store fails and callers hang up: what they saw must be linearizable."""

import asyncio
import os
import sqlite3
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, closing

import grpc
import pytest

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.history.checker import check
from tests.history.failing_store import Faults, connections_killed
from tests.history.observations import BankRead, shortest
from tests.history.recording_clients import NO_RETRIES, Client, History
from tests.support.databases import connect_to
from tests.support.ledger_check import HOUSE
from tests.support.stack import environment

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
CLIENTS = 32
CALLS = 20_000 if LONG else 3_200
ACCOUNTS = [f"account {number}" for number in range(10)]
MAY_OWE = frozenset(ACCOUNTS[5:])
CHANNELS = 4
BANK_EVERY_S = 1.0 if LONG else 0.1
DEFINITE_WITHIN_S = 30.0
NO_STRIPE = "http://127.0.0.1:9"
"""The discard port of this machine: refused at once."""

_BALANCES = "SELECT account_id, version, balance FROM accounts"
_names = ", ".join(f"'{name}'" for name in sorted(HOUSE))
_GIVEN = (
    f"SELECT coalesce(sum(CASE WHEN source IN ({_names}) THEN amount ELSE -amount END), 0) FROM entries "
    f"WHERE source IN ({_names}) OR destination IN ({_names})"
)


def _read_sqlite(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        return connection.execute(_BALANCES).fetchall(), connection.execute(_GIVEN).fetchone()[0]


async def _read_postgres(url):
    connection = await connect_to(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await connection.fetch(_BALANCES), int(await connection.fetchval(_GIVEN))
    finally:
        await connection.close()


async def read_bank(database):
    """Every account in one snapshot."""
    invoked = time.monotonic_ns()
    if database.store == "sqlite":
        rows, given = await asyncio.to_thread(_read_sqlite, database.path)
    else:
        rows, given = await _read_postgres(database.url)
    return BankRead(invoked, time.monotonic_ns(), {row[0]: (row[1], row[2]) for row in rows}, given)


@asynccontextmanager
async def services(database, faults):
    """Channels to the service: on PostgreSQL two of them share the database, as a deployment may have it."""
    async with AsyncExitStack() as running:
        channels = []
        settings = load_settings(environment(database.url, NO_STRIPE, BILLING_MIGRATE_ON_START="false"))
        for _ in range(2 if database.store == "postgresql" else 1):
            service = await running.enter_async_context(open_service(settings))
            faults.enter(service.environment.store)
            channels += [
                await running.enter_async_context(
                    grpc.aio.insecure_channel(service.address, [*NO_RETRIES, ("grpc.use_local_subchannel_pool", 1)])
                )
                for _ in range(CHANNELS // 2)
            ]
        yield channels


async def settle(clients, history):
    """Sends every write that had no answer again, until it has one."""

    async def until_definite(number, write):
        while not write.definite:
            await clients[number % len(clients)].send(write, patient=True)

    async with asyncio.timeout(DEFINITE_WITHIN_S):
        await asyncio.gather(*(until_definite(number, write) for number, write in enumerate(history.writes)))


async def run_history(database, seed):
    """The history of one run, its statements and its bank reads."""
    history, faults, bank = History(), Faults(seed), []
    async with services(database, faults) as channels, connections_killed(database, faults):
        clients = [
            Client(number, channels[number % len(channels)], ACCOUNTS, may_owe=MAY_OWE, history=history, seed=seed)
            for number in range(CLIENTS)
        ]
        faults.active = False
        await asyncio.gather(*(clients[0]._grant(account_id) for account_id in ACCOUNTS))
        await settle(clients, history)
        faults.active = True

        async def watch_bank():
            while True:
                bank.append(await read_bank(database))
                await asyncio.sleep(BANK_EVERY_S)

        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch_bank())
            await asyncio.gather(*(client.run(CALLS // CLIENTS) for client in clients))
            watching.cancel()
        faults.active = False
        await settle(clients, history)
        bank.append(await read_bank(database))
        statements = {account_id: await clients[0].statement(account_id) for account_id in ACCOUNTS}
    return history, statements, bank, faults


@pytest.mark.timeout(900 if LONG else 120)
async def test_a_history_with_failures_and_impatient_callers_is_linearizable(database, seed):
    history, statements, bank, faults = await run_history(database, seed)
    found = check(history.operations, statements, bank, may_owe=MAY_OWE)
    assert not found, f"seed={seed}: {shortest(found)}"
    for (account_id, version), line in history.lines.items():
        assert line == next(posted for posted in statements[account_id] if posted.version == version)
    counts = Counter(
        "read" if not one.key else "unknown" if one.answered is None else "refused" if one.refused else "ok"
        for one in history.operations
    )
    # A run in which nothing was refused, unknown or failed would prove nothing.
    assert min(counts[kind] for kind in ("read", "unknown", "refused", "ok")) > CALLS // 100, counts
    assert min(faults.before, faults.after) > 0
    assert len(bank) > 1
