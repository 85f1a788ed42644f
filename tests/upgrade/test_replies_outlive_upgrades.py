"""Whatever a key was answered, it is answered for ever: after ten thousand other operations, a restart, and a newer
program on a newer schema."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from billing_client import AsyncBillingClient
from billing_client.options import ClientOptions

from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from tests.support.ledger_check import ledger_problems
from tests.support.repeatable_requests import REQUESTS, filled, timeless, unrepeated, world
from tests.support.run_length import LONG
from tests.support.service_process import running_process, service_settings
from tests.support.stack import CREDIT, WEBHOOK_SECRET, Stack
from tests.support.wire import WRITES, Wire, outcomes
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

ACCOUNTS = 500 - len(REQUESTS)
"""Each of which one cheap answer is recorded."""
OTHERS = 10_000 if LONG else 400
AT_ONCE = 50


@asynccontextmanager
async def running_story(database, forker, log):
    """Sandbox, a service in a process and gateway: (what stories are told with, the process)."""
    async with AsyncExitStack() as running:
        sandbox_url = await running.enter_async_context(serve_sandbox(SandboxConfig(delivery_first_retry_s=0.05)))
        service = await running.enter_async_context(
            running_process(forker, service_settings(database, sandbox_url), log)
        )
        billing = ClientOptions(address=service.address)
        gateway_url = await running.enter_async_context(
            serve_gateway(GatewayConfig(secrets=(WEBHOOK_SECRET,), billing=billing))
        )
        http = await running.enter_async_context(httpx.AsyncClient(timeout=20))
        client = await running.enter_async_context(AsyncBillingClient(service.address))
        stack = Stack(client, service, sandbox_url, gateway_url, http)
        await stack.control("webhooks/endpoints", {"url": f"{gateway_url}/webhooks/stripe", "secret": WEBHOOK_SECRET})
        wire = await running.enter_async_context(Wire(service.address))
        yield stack, wire, service


async def prepare(wire, number):
    """An account of its own, with something to give back."""
    account = f"account-{number}"
    await wire.do("GrantCredits", account_id=account, amount_microcredits=100 * CREDIT, reason="gift")
    deduction = await wire.do("DeductCredits", account_id=account, amount_microcredits=9 * CREDIT)
    return account, deduction.transaction_id


def cheap_request(number, account, deduction):
    """A write that asks nothing of Stripe; each kind in turn, with other values each time."""
    amount = CREDIT + number
    kinds = [
        ("DeductCredits", {"account_id": account, "amount_microcredits": amount, "description": f"d {number} ü"}),
        (
            "DeductCredits",
            {"account_id": account, "amount_microcredits": 10**14, "mode": 2, "metadata": {"n": str(number)}},
        ),
        (
            "ReverseDeduction",
            {"account_id": account, "transaction_id": deduction, "amount_microcredits": amount, "reason": "r"},
        ),
        (
            "GrantCredits",
            {
                "account_id": account,
                "amount_microcredits": amount,
                "reason": "r",
                "expire_time": "2090-01-01T00:00:00Z",
            },
        ),
        ("AdjustCredits", {"account_id": account, "amount_microcredits": -number - 1, "reason": "r"}),
        ("CreateAccount", {"account_id": f"new-{number}", "name": f"N {number}", "metadata": {"n": str(number)}}),
        ("SetOverdraftLimit", {"account_id": account, "overdraft_limit_microcredits": amount, "reason": "r"}),
        ("FreezeAccount", {"account_id": account, "frozen": False, "reason": f"r {number}"}),
    ]
    return kinds[number % len(kinds)]


async def record(stack, wire):
    """(rpc, fields, answer as its repetition must be) of 500 writes, of every kind."""
    names = await world(stack, wire)
    asked = [(rpc, filled(fields, names)) for rpc, fields, _ in REQUESTS]
    assert {rpc for rpc, _ in asked} == set(WRITES)
    prepared = await outcomes(*(prepare(wire, number) for number in range(ACCOUNTS)))
    asked += [cheap_request(number, *prepared[number]) for number in range(ACCOUNTS)]
    keyed = [(rpc, {**fields, "idempotency_key": f"first-{number}"}) for number, (rpc, fields) in enumerate(asked)]
    answers = [await wire.call(rpc, **fields) for rpc, fields in keyed[:-ACCOUNTS]]
    answers += await outcomes(*(wire.call(rpc, **fields) for rpc, fields in keyed[-ACCOUNTS:]))
    return [(rpc, fields, unrepeated(rpc, answer)) for (rpc, fields), answer in zip(keyed, answers, strict=True)]


async def go_on(stack, wire):
    """Other operations on the same accounts, which change what is left, frozen and owed."""
    for begun in range(0, OTHERS, AT_ONCE):
        done = await outcomes(
            *(
                wire.do(
                    "GrantCredits",
                    account_id=f"account-{number % ACCOUNTS}",
                    amount_microcredits=number + 1,
                    reason="more",
                )
                if number % 3
                else wire.do(
                    "DeductCredits", account_id=f"account-{number % ACCOUNTS}", amount_microcredits=number + 1, mode=3
                )
                for number in range(begun, begun + AT_ONCE)
            )
        )
        assert not [failed for failed in done if isinstance(failed, Exception)]
    await wire.do("DeductCredits", account_id="account", amount_microcredits=10**15, mode=2)
    await wire.do("FreezeAccount", account_id="account", frozen=True, reason="later")
    await stack.webhooks()


async def repeat(wire, recorded):
    again = await outcomes(*(wire.call(rpc, **fields) for rpc, fields, _ in recorded))
    for (rpc, fields, first), answer in zip(recorded, again, strict=True):
        assert timeless(answer) == first, (rpc, fields)


@pytest.mark.timeout(600 if LONG else 120)
async def test_every_answer_is_given_again_by_a_newer_program_on_a_newer_schema(
    database, forker, newer, newer_forker, tmp_path
):
    async with running_story(database, forker, tmp_path / "older.log") as (stack, wire, service):
        recorded = await record(stack, wire)
        assert len(recorded) == 500
        await go_on(stack, wire)
        await repeat(wire, recorded)
        assert await service.stop() == 0
        await service.start()
        await repeat(wire, recorded)
        assert await service.stop() == 0
    code, said = await asyncio.to_thread(newer.migrate, database)
    assert code == 0, said
    async with (
        running_process(newer_forker, service_settings(database), tmp_path / "newer.log") as service,
        Wire(service.address) as wire,
    ):
        await repeat(wire, recorded)
        assert await service.stop() == 0
    assert ledger_problems(database) == []
