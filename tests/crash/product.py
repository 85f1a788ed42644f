"""The product with its service in a process that may be killed; sandbox and gateway run in the test's own."""

import asyncio
import hashlib
import hmac
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from billing_client import AsyncBillingClient
from billing_client.errors import Failure
from billing_client.options import ClientOptions

from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from tests.support.service_process import ServiceProcess, running_process, service_settings
from tests.support.stack import STRIPE_KEY, WEBHOOK_SECRET, Stack
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

DEFINITE_WITHIN_S = 20.0


@dataclass
class Product(Stack):
    """As the stack of other tests; `service` is a process."""

    service: ServiceProcess

    async def objects(self, kind: str) -> int:
        """How many the sandbox has."""
        answer = await self.http.get(f"{self.sandbox_url}/_sandbox/state")
        return answer.json()["objects"].get(kind, 0)

    async def until(self, condition):
        async with asyncio.timeout(DEFINITE_WITHIN_S):
            while not await condition():  # noqa: ASYNC110 - the other side is another process
                await asyncio.sleep(0.02)

    async def until_definite(self, call) -> Any:
        """Repeats a call with its key until it is answered."""
        async with asyncio.timeout(DEFINITE_WITHIN_S):
            while True:
                try:
                    return await call()
                except Failure:
                    await asyncio.sleep(0.05)

    async def event(self, kind: str) -> bytes:
        """The newest event of a type, as Stripe would send it."""
        answer = await self.http.get(
            f"{self.sandbox_url}/v1/events", params={"type": kind}, headers={"authorization": f"Bearer {STRIPE_KEY}"}
        )
        return json.dumps(answer.json()["data"][0]).encode()

    async def deliver(self, payload: bytes) -> int:
        """Delivers to the gateway; answers the status."""
        now = int(time.time())
        digest = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % now + payload, hashlib.sha256).hexdigest()
        url, headers = f"{self.gateway_url}/webhooks/stripe", {"stripe-signature": f"t={now},v1={digest}"}
        return (await self.http.post(url, content=payload, headers=headers)).status_code


@asynccontextmanager
async def running_product(database, forker, log, *, webhooks=True):
    """Starts everything. Without `webhooks` the sandbox delivers nothing: the test does."""
    async with AsyncExitStack() as running:
        sandbox_url = await running.enter_async_context(
            serve_sandbox(SandboxConfig(delivery_first_retry_s=0.05, delivery_attempts_max=12))
        )
        settings = service_settings(database, sandbox_url, STRIPE_TIMEOUT_S="10")
        service = await running.enter_async_context(running_process(forker, settings, log))
        config = GatewayConfig(secrets=(WEBHOOK_SECRET,), billing=ClientOptions(address=service.address))
        gateway_url = await running.enter_async_context(serve_gateway(config))
        http = await running.enter_async_context(httpx.AsyncClient(timeout=20))
        client = await running.enter_async_context(AsyncBillingClient(service.address))
        product = Product(client, service, sandbox_url, gateway_url, http)
        if webhooks:
            await product.control(
                "webhooks/endpoints", {"url": f"{gateway_url}/webhooks/stripe", "secret": WEBHOOK_SECRET}
            )
        yield product
