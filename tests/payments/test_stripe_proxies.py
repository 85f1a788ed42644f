"""Stripe through a forward proxy, and never through one that is not meant. A provider stays in its event loop."""

import asyncio
import ssl
import threading
from contextlib import asynccontextmanager

import pytest
import stripe
import trustme
from aiohttp import web

from billing_service.payments.ports.outcomes import ProviderUnavailable
from billing_service.payments.stripe.provider import StripeProvider
from tests.payments.scripted_stripe import Reply, ScriptedStripe, scripted_stripe
from tests.payments.stripe_answers import KEY
from tests.support.recording_proxy import NAMES, recording_proxy

CUSTOMER = Reply({"id": "cus_1", "object": "customer"})
ASKED = {"account_id": "a", "email": "", "name": "", "mark": "m", "idempotency_key": "k"}


@asynccontextmanager
async def open_provider(base, proxy=None):
    provider = StripeProvider(KEY, api_base=base, attempt_timeout_s=2, call_timeout_s=10, proxy=proxy)
    try:
        yield provider
    finally:
        await provider.close()


@pytest.fixture(autouse=True)
def every_proxy_of_the_environment_is_wrong(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def test_the_environment_alone_sends_nothing_through_a_proxy(server):
    server.will(CUSTOMER)
    async with open_provider(server.base) as provider:
        assert await provider.create_customer(**ASKED) == "cus_1"


async def test_plain_requests_go_through_the_proxy_that_is_named(server):
    server.will(Reply(status=500), CUSTOMER)
    address = server.base.removeprefix("http://")
    with recording_proxy({"stripe.test": address}, password="sesame") as proxy:
        async with open_provider("http://stripe.test", proxy.url.replace("://", "://user:sesame@")) as provider:
            assert await provider.create_customer(**ASKED) == "cus_1"
    assert [asked.line for asked in proxy.asked] == ["POST http://stripe.test/v1/customers HTTP/1.1"] * 2
    assert [(asked.method, asked.path, asked.key) for asked in server.asked] == [("POST", "/v1/customers", "k")] * 2


@asynccontextmanager
async def encrypted_stripe(monkeypatch, tmp_path):
    """A scripted server with a certificate for stripe.test, whose authority the SDK trusts; yields it and its
    address."""
    authority, server = trustme.CA(), ScriptedStripe()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setattr(stripe, "ca_bundle_path", str(tmp_path / "ca.pem"))
    context = _server_context(authority.issue_cert("stripe.test"))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield server, f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_encrypted_requests_tunnel_through_it_and_the_proxy_reads_nothing(monkeypatch, tmp_path):
    async with encrypted_stripe(monkeypatch, tmp_path) as (server, address):
        server.will(CUSTOMER)
        with recording_proxy({"stripe.test:443": address}, password="sesame") as proxy:
            async with open_provider("https://stripe.test", proxy.url.replace("://", "://user:sesame@")) as provider:
                for _ in range(3):
                    assert await provider.create_customer(**ASKED) == "cus_1"
    assert [asked.line for asked in proxy.asked] == ["CONNECT stripe.test:443 HTTP/1.1"]
    assert "authorization" not in proxy.asked[0].headers
    assert [asked.headers["Authorization"] for asked in server.asked] == [f"Bearer {KEY}"] * 3


@pytest.mark.parametrize(
    ("routes", "password", "words"),
    [({}, None, "502"), ({"stripe.test:443": "127.0.0.1:1"}, "other", "407"), (None, None, "ConnectError")],
    ids=["refuses", "asks for a password", "is not there"],
)
async def test_what_a_proxy_spoils_is_unknown_and_the_error_names_it_without_its_password(
    routes, password, words, capsys
):
    with recording_proxy(routes or {}, password) as proxy:
        url = proxy.url if routes is not None else "http://127.0.0.1:1"
        async with open_provider("https://stripe.test", url.replace("://", "://user:sesame@")) as provider:
            with pytest.raises(ProviderUnavailable, match=f"through proxy {url}$"):
                await provider.create_customer(**ASKED)
    logged = capsys.readouterr().out
    assert "stripe_unavailable" in logged
    assert url in logged
    assert words in logged
    assert "sesame" not in logged


class StripeInItsOwnThread:
    """A scripted server that outlives the event loops of its callers."""

    def __enter__(self):
        self._ready, self._over = threading.Event(), None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._ready.wait(20)
        return self

    async def _run(self):
        async with scripted_stripe() as self.server:
            self.server.will(CUSTOMER)
            self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
            self._ready.set()
            await self._over.wait()

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()


def test_a_second_event_loop_sends_nothing(capsys):
    """The SDK's own client carries the request out, reports a broken connection, and sends it again."""
    with StripeInItsOwnThread() as running:
        provider = StripeProvider(KEY, api_base=running.server.base, attempt_timeout_s=2, call_timeout_s=10)
        with asyncio.Runner() as first:
            assert first.run(provider.create_customer(**ASKED)) == "cus_1"
            assert first.run(provider.create_customer(**ASKED)) == "cus_1"
            with asyncio.Runner() as second, pytest.raises(ProviderUnavailable, match="WrongLoopError"):
                second.run(provider.create_customer(**ASKED))
            first.run(provider.close())
        assert len(running.server.asked) == 2
    assert "another event loop" in capsys.readouterr().out
