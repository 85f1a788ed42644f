"""A server that answers Stripe's client from a script and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web


@dataclass
class Reply:
    body: object = None
    status: int = 200
    headers: dict = field(default_factory=dict)


@dataclass
class Hang:
    """Never answers."""


@dataclass
class Drop:
    """Hangs up; in the middle of the body when `half` is set."""

    half: bool = False


@dataclass
class Asked:
    method: str
    path: str
    params: dict
    key: str | None
    headers: dict


@dataclass
class ScriptedStripe:
    base: str = ""
    script: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def will(self, *steps):
        self.script.extend(steps)

    async def handle(self, request):
        body = (await request.read()).decode()
        params = dict(parse_qsl(body or request.query_string, keep_blank_values=True))
        self.asked.append(
            Asked(request.method, request.path, params, request.headers.get("Idempotency-Key"), dict(request.headers))
        )
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Hang):
            self.hanging.set()
            await self.closing.wait()
            return web.Response()
        if isinstance(step, Drop):
            if step.half:
                request.transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
                )
            request.transport.close()
            return web.Response()
        text = step.body if isinstance(step.body, str) else json.dumps(step.body)
        return web.Response(text=text, status=step.status, headers=step.headers, content_type="application/json")


@asynccontextmanager
async def scripted_stripe() -> AsyncIterator[ScriptedStripe]:
    stripe = ScriptedStripe()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stripe.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stripe.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stripe
    finally:
        stripe.closing.set()
        await runner.cleanup()
