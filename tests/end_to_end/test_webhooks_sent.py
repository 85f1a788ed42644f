"""Business events as webhooks over real sockets: what a backend is sent by the running service."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from billing_service.domain.ledger.events import PlacedEvent
from billing_service.feed.sending import Sender
from billing_service.feed.signing import body_of, headers_of, secret_key
from tests.end_to_end.money import grant
from tests.end_to_end.test_event_feed import indebt
from tests.support.patience import PATIENCE_S
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD, NEW = ("whsec_" + base64.b64encode(f"{word} example key of the receiver".encode()).decode() for word in "ab")


class Backend:
    """A receiver on loopback, which answers by `statuses` while there are any, then with 204."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.requests = asyncio.Queue()
        self.url = ""
        self.held = asyncio.Event()

    async def take(self, request):
        status = self.statuses.pop(0) if self.statuses else 204
        await self.requests.put((status, dict(request.headers), await request.read()))
        if status == 0:
            await self.held.wait()
        if status == 302:
            raise web.HTTPFound(f"{self.url}/elsewhere")
        return web.Response(status=status or 204, body=b"x" * 100_000 if status == 200 else b"")

    @asynccontextmanager
    async def running(self):
        app = web.Application()
        app.router.add_post("/{path:.*}", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self.held.set()
            await runner.cleanup()

    async def next(self):
        return await asyncio.wait_for(self.requests.get(), PATIENCE_S)


async def test_the_service_sends_each_event_signed_with_each_secret(database):
    async with Backend().running() as backend:
        settings = {
            "BILLING_WEBHOOK_URL": f"{backend.url}/hooks",
            "BILLING_WEBHOOK_SECRETS": f"{NEW},{OLD}",
            "BILLING_LOG_LEVEL": "ERROR",
        }
        async with running_stack(database.url, **settings) as stack, Wire(stack.service.address) as wire:
            await grant(wire, "acme", 1)
            await begun(stack)
            bought = await stack.buy("acme")
            _, headers, body = await backend.next()
    told = json.loads(body)
    assert told["type"] == "purchase_completed"
    assert told["data"]["detail"] == {
        "credits_microcredits": str(1_000 * CREDIT),
        "paid_minor": "1000",
        "currency": "usd",
    }
    assert (told["data"]["account_id"], told["data"]["subject_id"]) == ("acme", bought.purchase_id)
    assert headers["webhook-id"] == told["data"]["event_id"]
    sent_us = int(headers["webhook-timestamp"]) * 1_000_000
    expected = headers_of(told["data"]["event_id"], body, [secret_key(NEW), secret_key(OLD)], sent_us)
    assert headers["webhook-signature"] == expected["webhook-signature"]
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert "cookie" not in {name.lower() for name in headers}


async def begun(stack):
    """Waits until deliveries have begun: what happened before is not sent."""
    store = stack.service.environment.store
    async with asyncio.timeout(PATIENCE_S):
        while not (await store.read(_endpoint))[0][1]:  # noqa: ASYNC110 - a row of the database
            await asyncio.sleep(0.02)


def _endpoint():
    from billing_service.storage.rows.webhooks import ENDPOINT

    return (yield ENDPOINT())


async def test_a_broken_answer_is_repeated_in_order_by_the_running_service(database, monkeypatch):
    monkeypatch.setattr("billing_service.domain.deliveries.FIRST_DELAY_US", 1_000)
    async with Backend(500, 302).running() as backend:
        settings = {
            "BILLING_WEBHOOK_URL": backend.url,
            "BILLING_WEBHOOK_SECRETS": NEW,
            "BILLING_LOG_LEVEL": "ERROR",
        }
        async with running_stack(database.url, **settings) as stack, Wire(stack.service.address) as wire:
            await begun(stack)
            made = await indebt(wire, "acme", 3)
            got = [await backend.next() for _ in range(5)]
    subjects = [json.loads(body)["data"]["subject_id"] for _, _, body in got]
    assert [status for status, *_ in got] == [500, 302, 204, 204, 204]
    assert subjects == [made[0], made[0], *made]
    assert len({headers["webhook-id"] for _, headers, _ in got}) == 3


async def test_what_a_receiver_answers_is_a_status_or_nothing():
    async with Backend(200, 204, 302, 400, 410, 500, 0).running() as backend:
        sender = Sender(f"{backend.url}/hooks", timeout_s=0.5, proxy=None)
        answers = [await sender.send(b"{}", {}) for _ in range(7)]
        await sender.close()
    away = Sender(backend.url, timeout_s=1, proxy=None)
    answers.append(await away.send(b"{}", {}))
    await away.close()
    assert answers == [
        "",
        "",
        "status 302",
        "status 400",
        "status 410",
        "status 500",
        "no answer within 0.5 s",
        "ClientConnectorError",
    ]
    assert backend.requests.qsize() == 7, "no redirect is followed"


async def test_the_signature_is_that_of_the_standard_s_own_library():
    """Made with standardwebhooks 1.1.0."""
    key = secret_key("whsec_" + base64.b64encode(b"an example key of 32 bytes, long").decode())
    headers = headers_of("evt_1", b'{"type":"debt"}', [key], 1_700_000_000_999_999)
    assert headers["webhook-timestamp"] == "1700000000"
    assert headers["webhook-signature"] == "v1,ICaPTxeNO5rNp3O66JPVOi5v6Okv9DcClbFC7oBQGDc="


async def test_a_kind_of_a_newer_program_has_a_name():
    body = json.loads(body_of(PlacedEvent(1, "acme", "evt_1", 3, 99, 0, "", {})))
    assert (body["type"], body["timestamp"]) == ("kind_99", "1970-01-01T00:00:00Z")
