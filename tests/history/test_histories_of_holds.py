"""Holds, captures and releases race with deductions, reversals and grants while the store fails and callers hang up:
what callers saw must be linearizable, nobody else spends what is held, and no charge passes a spend limit."""

import asyncio
from collections import Counter

import pytest
from prepaid.billing.v1 import billing_pb2_grpc, spend_limits_pb2

from tests.history.checker import check
from tests.history.failing_store import Faults, connections_killed
from tests.history.holding_clients import HoldingClient
from tests.history.observations import shortest
from tests.history.recording_clients import History
from tests.history.test_concurrent_histories import LONG, read_bank, services, settle

CLIENTS = 32
CALLS = 12_000 if LONG else 1_600
ACCOUNTS = [f"account {number}" for number in range(8)]
MAY_OWE = frozenset(ACCOUNTS[6:])
LIMITS = dict.fromkeys(ACCOUNTS[:3], 300)
"""Microcredits that may ever be spent and held."""


async def limit_spending(channel, account_id):
    request = spend_limits_pb2.SetSpendLimitRequest(
        account_id=account_id,
        window="SPEND_WINDOW_NONE",
        limit_microcredits=LIMITS[account_id],
        idempotency_key="limit",
    )
    await billing_pb2_grpc.BillingServiceStub(channel).SetSpendLimit(request)


async def run_history(database, seed):
    """The history of one run, its statements and its bank reads."""
    history, faults, bank = History(), Faults(seed), []
    async with services(database, faults) as channels, connections_killed(database, faults):
        about = {"may_owe": MAY_OWE, "history": history, "seed": seed}
        clients = [
            HoldingClient(number, channels[number % len(channels)], ACCOUNTS, **about) for number in range(CLIENTS)
        ]
        faults.active = False
        await asyncio.gather(*(clients[0]._grant(account_id) for account_id in ACCOUNTS))
        await settle(clients, history)
        await asyncio.gather(*(limit_spending(channels[0], account_id) for account_id in LIMITS))
        faults.active = True
        await asyncio.gather(*(client.run(CALLS // CLIENTS) for client in clients))
        faults.active = False
        await settle(clients, history)
        bank.append(await read_bank(database))
        statements = {account_id: await clients[0].statement(account_id) for account_id in ACCOUNTS}
    return history, statements, bank


@pytest.mark.timeout(900 if LONG else 120)
async def test_a_history_of_holds_is_linearizable(database, seed):
    history, statements, bank = await run_history(database, seed)
    found = check(history.operations, statements, bank, may_owe=MAY_OWE, limits=LIMITS)
    assert not found, f"seed={seed}: {shortest(found)}"
    counts = Counter(
        "read"
        if not one.key
        else "unknown"
        if one.answered is None
        else "limited"
        if one.room is not None
        else "refused"
        if one.refused
        else "hold"
        if one.hold_id
        else "ok"
        for one in history.operations
    )
    assert min(counts[kind] for kind in ("read", "unknown", "refused", "limited", "hold", "ok")) > CALLS // 100, counts
