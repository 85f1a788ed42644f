"""The whole product in one process for tests: sandbox, service and gateway on loopback ports, and a client."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from billing_client import AsyncBillingClient
from billing_client.options import ClientOptions

from billing_service.bootstrap import RunningService, open_service
from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from billing_service.settings import load_settings
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

STRIPE_KEY = "sk_" + "test_" + "sandbox0123456789"
WEBHOOK_SECRET = "whsec_" + "sandbox-secret-0123456789"
PEPPER = "pepper-" + "0123456789abcdef" * 2
AUTHORITIES = ssl.create_default_context()
"""Read once: each client would take 25 ms to read them."""
CARD = "4242424242424242"
CREDIT = 1_000_000


@dataclass
class Stack:
    """What a test works with."""

    client: AsyncBillingClient
    service: RunningService
    sandbox_url: str
    gateway_url: str
    http: httpx.AsyncClient

    async def pay(self, checkout_url: str, card: str = CARD, **fields: str) -> httpx.Response:
        """Fills the checkout page and presses Pay."""
        form = {
            "email": "buyer@example.com",
            "method": "card",
            "number": card,
            "expiry": "12/39",
            "cvc": "123",
            "name": "Ada Buyer",
            **fields,
        }
        return await self.http.post(checkout_url, data=form, follow_redirects=False)

    async def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self.http.post(f"{self.sandbox_url}/_sandbox/{path}", json=body or {})
        answer.raise_for_status()
        return answer.json()

    async def webhooks(self) -> None:
        """Waits until the sandbox has delivered everything."""
        await self.control("webhooks/drain", {"timeout_s": 20})

    async def buy(self, account_id: str, package_code: str = "starter", **options: Any) -> Any:
        """A completed purchase."""
        made = await self.client.create_purchase(account_id=account_id, package_code=package_code, **options)
        paid = await self.pay(made.purchase.checkout_url)
        assert paid.status_code == 303, paid.text
        await self.webhooks()
        return (await self.client.get_purchase(purchase_id=made.purchase.purchase_id)).purchase

    async def available(self, account_id: str) -> int:
        """Credits that may be spent now."""
        return (await self.client.get_balance(account_id=account_id)).balance.available_microcredits // CREDIT


def environment(database_url: str, stripe_base: str, **others: str) -> dict[str, str]:
    """Settings of a service for tests."""
    return {
        "DATABASE_URL": database_url,
        "BILLING_MIGRATE_ON_START": "true",
        "BILLING_LISTEN": "127.0.0.1:0",
        "BILLING_AUTH": "off",
        "BILLING_API_KEY_PEPPER": PEPPER,
        "BILLING_REFLECTION": "true",
        "BILLING_REFERRAL_VESTING_DELAY_S": "0",
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": stripe_base,
        "STRIPE_TIMEOUT_S": "2",
        **others,
    }


@asynccontextmanager
async def running_stack(
    database_url: str, *, sandbox: dict[str, Any] | None = None, **settings: str
) -> AsyncIterator[Stack]:
    """Starts everything; ends everything."""
    options = {"delivery_first_retry_s": 0.05, "delivery_attempts_max": 8, **(sandbox or {})}
    async with (
        serve_sandbox(SandboxConfig(**options)) as sandbox_url,
        joined_stack(database_url, sandbox_url, **settings) as stack,
    ):
        yield stack


@asynccontextmanager
async def joined_stack(
    database_url: str, sandbox_url: str, secret: str = WEBHOOK_SECRET, **settings: str
) -> AsyncIterator[Stack]:
    """All but the sandbox, whose events come here signed with this secret: others may use it too."""
    settings = {"STRIPE_WEBHOOK_SECRET": secret, **settings}
    async with AsyncExitStack() as running:
        service = await running.enter_async_context(
            open_service(load_settings(environment(database_url, sandbox_url, **settings)))
        )
        config = GatewayConfig(secrets=(secret,), billing=ClientOptions(address=service.address))
        gateway_url = await running.enter_async_context(serve_gateway(config))
        http = await running.enter_async_context(httpx.AsyncClient(timeout=20, verify=AUTHORITIES))
        client = await running.enter_async_context(AsyncBillingClient(service.address))
        stack = Stack(client, service, sandbox_url, gateway_url, http)
        await stack.control("webhooks/endpoints", {"url": f"{gateway_url}/webhooks/stripe", "secret": secret})
        yield stack
