"""A sandbox of its own for each test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import stripe

from billing_service.sandbox.config import SandboxConfig, WebhookEndpoint
from billing_service.sandbox.run import serve_sandbox
from tests.sandbox.sandbox_running import SECRET, TEST_KEY, Received, Running, WebhookServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The SDK hands httpx its form bodies in a way that httpx calls outdated; that is between the two of them.
    for item in items:
        if "sandbox" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"))


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    """Starts sandboxes: `await start(settlement_delay_s=0)`; all are stopped at the end."""
    monkeypatch.setattr(stripe, "enable_telemetry", False)
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Running:
            received = Received()
            received.url = await stack.enter_async_context(WebhookServer(received))
            settings.setdefault("webhook_endpoints", (WebhookEndpoint(received.url, SECRET),))
            settings.setdefault("delivery_first_retry_s", 0.01)
            url = await stack.enter_async_context(serve_sandbox(SandboxConfig(**settings)))
            transport = stripe.HTTPXClient(timeout=5)
            stack.push_async_callback(transport.close_async)
            client = stripe.StripeClient(TEST_KEY, base_addresses={"api": url}, http_client=transport)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Running(url, client, http, received)

        yield start


@pytest.fixture
async def sandbox(start: Callable[..., Any]) -> Running:
    return await start()
