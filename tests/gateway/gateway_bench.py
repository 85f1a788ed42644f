"""Stands in for the service, and for whoever sends deliveries, honest or not."""

import asyncio
import hashlib
import hmac
import json
from urllib.parse import urlsplit

import grpc
from billing_client.error_details import CLASS_BY_STATUS
from prepaid.billing.v1.stripe_events_pb2 import (
    STRIPE_EVENT_OUTCOME_PROCESSED,
    GetCheckoutStatusResponse,
    ProcessStripeEventResponse,
)

from webhook_gateway.config import GatewayConfig

NOW_S = 1_900_000_000
SECRET = "whsec_" + "of-the-gateway-tests-0123456789"
OTHER_SECRET = "whsec_" + "rotating-in-of-the-gateway-tests"
PATH = "/webhooks/stripe"


class FakeEventService:
    def __init__(self):
        self.calls: list[dict] = []
        self.status = grpc.StatusCode.OK
        self.outcome = STRIPE_EVENT_OUTCOME_PROCESSED
        self.asked: list[dict] = []
        self.checkout = GetCheckoutStatusResponse()
        self.serving = True
        self.health_checks = 0
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def process_stripe_event(self, **arguments):
        self.calls.append(arguments)
        self.entered.set()
        await self.let_go.wait()
        if isinstance(self.status, Exception):
            raise self.status
        if self.status is not grpc.StatusCode.OK:
            raise CLASS_BY_STATUS[self.status]("canary of the service", status=self.status)
        return ProcessStripeEventResponse(event_id="evt_1", event_type="x", outcome=self.outcome)

    async def get_checkout_status(self, **arguments):
        self.asked.append(arguments)
        if isinstance(self.checkout, Exception):
            raise self.checkout
        return self.checkout

    async def is_serving(self):
        self.health_checks += 1
        return self.serving


def gateway_config(**changes) -> GatewayConfig:
    return GatewayConfig(**{"secrets": (SECRET,), "now_s": lambda: NOW_S} | changes)


def event(**changes) -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "type": "checkout.session.completed"} | changes).encode()


def signature(body: bytes, secret: str = SECRET, timestamp: int = NOW_S) -> str:
    return f"t={timestamp},v1={hmac.new(secret.encode(), b'%d.' % timestamp + body, hashlib.sha256).hexdigest()}"


def signed(body: bytes, secret: str = SECRET, timestamp: int = NOW_S) -> dict:
    return {"Stripe-Signature": signature(body, secret, timestamp)}


def status_of(answer: bytes) -> int | None:
    """The status of a raw answer; None when there was none."""
    return int(answer.split()[1]) if answer else None


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)


async def send_raw(url: str, data: bytes) -> bytes:
    """All that the gateway answers until it closes; b"" when it cuts the connection."""
    reader, writer = await connect(url)
    try:
        writer.write(data)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def raw_delivery(body: bytes, *extra_headers: str, path: str = PATH) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: gateway",
        f"Stripe-Signature: {signature(body)}",
        "Connection: close",
        *extra_headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


GOOD = event()
UNSIGNED = {
    "tampered body": (event(id="evt_2"), signed(GOOD)),
    "reserialised body": (GOOD.replace(b" ", b""), signed(GOOD)),
    "other secret": (GOOD, signed(GOOD, OTHER_SECRET)),
    "stale": (GOOD, signed(GOOD, timestamp=NOW_S - 301)),
    "future": (GOOD, signed(GOOD, timestamp=NOW_S + 301)),
    "unsigned": (GOOD, {}),
    "empty signature": (GOOD, {"Stripe-Signature": ""}),
    "only v0": (GOOD, {"Stripe-Signature": signature(GOOD).replace("v1=", "v0=")}),
    "non-ASCII signature": (GOOD, {"Stripe-Signature": signature(GOOD) + ",v2=é"}),
    "empty body": (b"", signed(GOOD)),
}
