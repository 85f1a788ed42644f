"""A running sandbox as tests drive it: the real SDK as its caller, and an endpoint that records what arrives."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import stripe
from aiohttp import web

TEST_KEY = "sk_" + "test_" + "sandbox"
SECRET = "whsec_" + "sandbox"
LIVE_KEY = "sk_" + "live_" + "0000000000000000abcd"
SUCCESS = "https://shop.example/ok?sid={CHECKOUT_SESSION_ID}"
CANCEL = "https://shop.example/no"


@dataclass
class Received:
    """What the webhook endpoint got, in order, and what it answers: each planned status once, then 200."""

    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    url: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.signatures.append(request.headers["Stripe-Signature"])
        self.arrived.set()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@dataclass
class Running:
    """A served sandbox with everything that a test needs around it."""

    url: str
    stripe: stripe.StripeClient
    http: aiohttp.ClientSession
    received: Received

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any], Any]:
        """A raw API call: status, JSON, headers."""
        headers = {"Authorization": f"Bearer {TEST_KEY}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self.http.request(method, self.url + path, data=body, headers=headers) as response:
            return response.status, await response.json(), response.headers

    async def control(self, path: str, body: Any = None, method: str = "POST") -> dict[str, Any]:
        async with self.http.request(method, f"{self.url}/_sandbox/{path}", json=body) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def drained(self) -> None:
        assert (await self.control("webhooks/drain"))["drained"]

    async def session(self, amount: int = 1000, **more: Any) -> stripe.checkout.Session:
        item = {
            "price_data": {"currency": "usd", "unit_amount": amount, "product_data": {"name": "1,000 credits"}},
            "quantity": 1,
        }
        params = {
            "mode": "payment",
            "line_items": [item],
            "success_url": SUCCESS,
            "cancel_url": CANCEL,
            "customer_email": "buyer@example.com",
        }
        if "customer" in more:
            del params["customer_email"]
        return await self.stripe.v1.checkout.sessions.create_async(params | more)

    async def pay(self, session_id: str, number: str = "4242424242424242", **more: str) -> tuple[int, str, str]:
        """Presses Pay on the page: status, Location, text."""
        form = {
            "email": "buyer@example.com",
            "number": number,
            "expiry": "12 / 40",
            "cvc": "123",
            "name": "Jenny Rosen",
        } | more
        async with self.http.post(f"{self.url}/c/pay/{session_id}", data=form, allow_redirects=False) as response:
            return response.status, response.headers.get("Location", ""), await response.text()

    async def answer_3ds(self, location: str, answer: str) -> tuple[int, str]:
        async with self.http.post(self.url + location, data={"answer": answer}, allow_redirects=False) as response:
            return response.status, response.headers.get("Location", "")

    async def paid_session(self, **more: Any) -> stripe.checkout.Session:
        session = await self.session(**more)
        status, _, _ = await self.pay(session.id)
        assert status == 303
        return await self.stripe.v1.checkout.sessions.retrieve_async(session.id)

    async def events(self, *types: str) -> list[stripe.Event]:
        """Oldest first."""
        page = await self.stripe.v1.events.list_async({"types": list(types), "limit": 100} if types else {"limit": 100})
        return list(reversed(page.data))


class WebhookServer:
    """The recording endpoint, served for as long as the block lasts."""

    def __init__(self, received: Received) -> None:
        app = web.Application()
        app.router.add_post("/hook", received.handle)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/hook"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
