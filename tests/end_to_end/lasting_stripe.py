"""A sandbox that goes on while services come and go."""

from contextlib import asynccontextmanager

import httpx

from billing_service.bootstrap import open_service
from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from billing_service.settings import load_settings
from tests.support.stack import STRIPE_KEY, environment
from tests.support.wire import Wire


class LastingStripe:
    """The sandbox, and what a test does to it and asks of it."""

    def __init__(self, url, database_url, http):
        self.url, self._database_url, self._http = url, database_url, http

    async def call(self, method, path, **form):
        """A call to Stripe's API as its Dashboard makes it."""
        authorization = {"Authorization": f"Bearer {STRIPE_KEY}"}
        answer = await self._http.request(method, f"{self.url}/v1/{path}", data=form, headers=authorization)
        answer.raise_for_status()
        return answer.json()

    async def control(self, path, **body):
        (await self._http.post(f"{self.url}/_sandbox/{path}", json=body)).raise_for_status()

    async def fault(self, kind, path="/v1/checkout/sessions", **options):
        """What the next calls to a path meet."""
        await self.control("faults", kind=kind, method="POST", path_prefix=path, **options)

    async def lose_answer(self):
        """Executes the next call for a checkout, and answers neither it nor its repetitions."""
        await self.fault("drop", when="after", count=1)
        await self.fault("drop", when="before", count=30)

    async def mend(self):
        (await self._http.delete(f"{self.url}/_sandbox/faults")).raise_for_status()

    async def sessions(self):
        return (await self.call("GET", "checkout/sessions"))["data"]

    @asynccontextmanager
    async def service(self, **settings):
        """A service of these settings, and a line to it."""
        settings = load_settings(environment(self._database_url, self.url, **settings))
        async with open_service(settings) as service, Wire(service.address) as wire:
            yield wire


def hasty(monkeypatch):
    """Makes the SDK's own pauses between its attempts short."""
    monkeypatch.setattr("stripe.HTTPClient.INITIAL_DELAY", 0.01)
    monkeypatch.setattr("stripe.HTTPClient.MAX_DELAY", 0.02)


@asynccontextmanager
async def lasting_stripe(database_url):
    async with serve_sandbox(SandboxConfig()) as url, httpx.AsyncClient() as http:
        yield LastingStripe(url, database_url, http)
