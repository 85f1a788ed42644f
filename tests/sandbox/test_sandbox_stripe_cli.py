"""Stripe's own command line runs its own sequences against the sandbox."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from prepaid.billing.v1.admin_pb2 import STRIPE_EVENT_STATUS_IGNORED

from tests.sandbox.sandbox_running import Running
from tests.support.stack import running_stack

PROJECT = Path(__file__).resolve().parents[2]
KEY = "sk_" + "test_" + "1234567890abcdef"
PATIENCE_S = 60

# Event asked for, and the number of them that Stripe's sequence brings about.
TRIGGERS = (
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "payment_intent.created",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "charge.succeeded",
    "charge.failed",
    "charge.refunded",
    "charge.refund.updated",
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "product.created",
    "price.created",
)


def stripe_cli() -> Path:
    named = os.environ.get("STRIPE_CLI")
    if named:
        return Path(named)
    found = sorted(PROJECT.glob("build/stripe-cli/node_modules/@stripe/cli-*/bin/stripe"))
    if not found:
        pytest.skip("the Stripe CLI is absent (neither STRIPE_CLI nor build/stripe-cli names one)")
    return found[0]


async def trigger(cli: Path, home: Path, event: str, url: str) -> tuple[int, str]:
    environment = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PATH": os.environ.get("PATH", ""),
        "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
    }
    process = await asyncio.create_subprocess_exec(
        cli,
        "trigger",
        event,
        "--api-key",
        KEY,
        "--api-base",
        url,
        env=environment,
        cwd=home,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.parametrize("event", TRIGGERS)
async def test_trigger(start: Any, tmp_path: Path, event: str) -> None:
    cli = stripe_cli()
    sandbox: Running = await start(settlement_delay_s=0.0)
    code, output = await trigger(cli, tmp_path, event, sandbox.url)
    assert code == 0, output
    assert "Trigger succeeded" in output
    await sandbox.drained()
    assert event in sandbox.received.types
    assert len(await sandbox.events(event)) == sandbox.received.types.count(event)


async def test_a_service_on_the_same_account_ignores_what_triggers_make(tmp_path: Path) -> None:
    cli = stripe_cli()
    async with running_stack(
        f"sqlite:///{tmp_path}/billing.db", sandbox={"settlement_delay_s": 0.0}, BILLING_LOG_LEVEL="ERROR"
    ) as stack:
        for event in TRIGGERS:
            code, output = await trigger(cli, tmp_path, event, stack.sandbox_url)
            assert code == 0, output
        drained = await stack.control("webhooks/drain", {"timeout_s": 20})
        kept = (await stack.client.list_stripe_events(page_size=1000)).events
        assert {event.event_type for event in kept} >= set(TRIGGERS)
        assert {event.status for event in kept} == {STRIPE_EVENT_STATUS_IGNORED}
        assert {attempt["status"] for attempt in drained["attempts"]} == {200}


LISTEN = re.compile(r"stripe (listen [^`\n]*?--forward-to \S+?/webhooks/stripe)")


def listen_lines() -> list[list[str]]:
    """The arguments of `stripe listen`, as docs/payments.md and `billing dev` say them."""
    said = (PROJECT / "docs" / "payments.md").read_text() + (PROJECT / "billing_service" / "cli" / "dev.py").read_text()
    return [line.replace("{stack.gateway_url}", "http://127.0.0.1:8080").split() for line in LISTEN.findall(said)]


async def listen(cli: Path, home: Path, arguments: list[str]) -> str:
    """All that it says until it can't reach Stripe: nobody answers at that address."""
    environment = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "PATH": os.environ.get("PATH", ""),
        "STRIPE_CLI_TELEMETRY_OPTOUT": "1",
    }
    process = await asyncio.create_subprocess_exec(
        cli,
        *arguments,
        "--skip-update",
        "--api-key",
        KEY,
        "--api-base",
        "http://127.0.0.1:9",
        env=environment,
        cwd=home,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return output.decode()


async def test_what_is_said_of_listening_is_taken_by_stripes_command(tmp_path: Path) -> None:
    """As far as it goes without Stripe: it took the arguments, and asked for a session."""
    cli, lines = stripe_cli(), listen_lines()
    assert len(lines) == 2, "docs/payments.md and `billing dev` say how"
    for arguments in lines:
        output = await listen(cli, tmp_path, arguments)
        assert "Error while authenticating with Stripe" in output
        assert "/v1/stripecli/sessions" in output
    refused = await listen(cli, tmp_path, [word for word in lines[0] if word != "--all-snapshot"])
    assert "must specify events to forward" in refused
