"""The sandbox as one aiohttp application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.controls import Controls
from billing_service.sandbox.engine.api import Api
from billing_service.sandbox.engine.faults import Faults
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import (
    catalogue,
    charges,
    checkout_payment,
    checkout_sessions,
    customers,
    disputes,
    payment_intents,
    payment_methods,
    refunds,
)
from billing_service.sandbox.objects.expansion import expanded
from billing_service.sandbox.page.overview import Overview
from billing_service.sandbox.page.pages import Pages
from billing_service.sandbox.webhooks import events
from billing_service.sandbox.webhooks.delivery import Delivery

ROUTES = (
    *customers.ROUTES,
    *catalogue.ROUTES,
    *checkout_sessions.ROUTES,
    *checkout_payment.ROUTES,
    *payment_methods.ROUTES,
    *payment_intents.ROUTES,
    *charges.ROUTES,
    *refunds.ROUTES,
    *disputes.ROUTES,
    *events.ROUTES,
)
CLOCK_STEP_S = 0.5  # how late a step of an outside clock is noticed


def create_app(config: SandboxConfig) -> web.Application:
    """The stand-in for Stripe. `config.base_url` must be set: it stands in the urls of sessions."""
    sandbox = Sandbox(config)
    sandbox.intent_followers.append(checkout_payment.follow)
    delivery = Delivery(sandbox)
    planned = Faults()
    api = Api(sandbox, planned, expanded)
    app = web.Application()
    for route in ROUTES:
        app.router.add_route(route.method, route.path, api.handler(route))
    app.router.add_route("*", "/v1/{rest:.*}", api.unknown)
    app.add_routes(Controls(sandbox, delivery, planned).routes())
    app.add_routes(Pages(sandbox).routes())
    app.add_routes(Overview(sandbox, delivery).routes())

    async def running(_: web.Application) -> AsyncIterator[None]:
        await delivery.start()
        clock = asyncio.create_task(_run_clock(sandbox))
        yield
        clock.cancel()
        with suppress(asyncio.CancelledError):  # anything else that ended the clock is worth hearing of
            await clock
        await delivery.stop()

    app.cleanup_ctx.append(running)
    return app


async def _run_clock(sandbox: Sandbox) -> None:
    """Lets what is due happen: sessions expire, delayed money settles."""
    changed = asyncio.Event()
    sandbox.wake = changed.set
    while True:
        changed.clear()
        until_next_s = sandbox.run_due()
        try:
            await asyncio.wait_for(changed.wait(), None if until_next_s is None else min(until_next_s, CLOCK_STEP_S))
        except TimeoutError:
            continue
