"""Certificates and authorities rotate while clients call and webhooks arrive: no call fails, and who is no longer
trusted is out soon."""

import asyncio
import hashlib
import hmac
import json
import os
import socket
import ssl
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import httpx
import pytest
import trustme
from billing_client import AsyncBillingClient
from billing_client.options import ClientOptions
from prepaid.billing.v1 import accounts_pb2, billing_pb2_grpc

from tests.load.certificates import Certificates, expired, presenting
from tests.support.client_journal import CREDIT, grant, stored
from tests.support.service_process import channel_to, running_forker, running_process, service_settings
from tests.support.stack import WEBHOOK_SECRET
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
CALLERS = 16 if LONG else 4
ROUNDS = 2 if LONG else 1
"""Of the whole rotation: server certificate, its authority, the clients' authority."""
CALLS_BETWEEN = 50 if LONG else 10
"""Of each caller, from one step to the next."""
STEP_S_MAX = 60.0
OUT_WITHIN_S = 60.0 if LONG else 10.0
CONNECTION_AGE = {} if LONG else {"BILLING_TEST_MUTUAL_CONNECTION_AGE_S": "1"}
SEEN_BY_ALL_S = 30.0 if LONG else 1.5
"""Until every client has looked at its files and every connection has been made anew."""
GIVEN = 1_000_000
NAMES = {"metering.internal": "read+deduct", "gateway.internal": "webhook", "operator.internal": "admin"}


class Load:
    """Callers and deliveries that never stop, and what failed of it."""

    def __init__(self, client, gateway_url):
        self._client = client
        self._url = f"{gateway_url}/webhooks/stripe"
        self.failed = Counter()
        self.done = Counter()
        self.keys = set()

    async def call(self, number):
        for count in range(sys.maxsize):
            key = f"{number}-{count}"
            try:
                await self._client.deduct_credits(account_id="a", amount_microcredits=CREDIT, idempotency_key=key)
            except Exception as error:  # noqa: BLE001 - counted by its kind, and none is allowed
                self.failed[repr(error)] += 1
            else:
                self.keys.add(key)
            self.done[f"caller {number}"] += 1

    async def deliver(self):
        async with httpx.AsyncClient(timeout=20) as http:
            for count in range(sys.maxsize):
                event = {"id": f"evt_{count}", "object": "event", "type": "some.thing", "created": 1, "livemode": False}
                body, now = json.dumps(event | {"data": {"object": {}}}).encode(), int(time.time())
                digest = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
                answer = await http.post(self._url, content=body, headers={"stripe-signature": f"t={now},v1={digest}"})
                if answer.status_code != 200:
                    self.failed[f"webhook {answer.status_code}"] += 1
                self.done["gateway"] += 1

    async def go_on(self):
        """Waits until everybody has made so many calls more, over new connections and with the files of now."""
        wanted = {who: count + CALLS_BETWEEN for who, count in self.done.items()}
        begun = time.monotonic()
        async with asyncio.timeout(STEP_S_MAX):
            while time.monotonic() < begun + SEEN_BY_ALL_S or any(  # noqa: ASYNC110
                self.done[who] < count for who, count in wanted.items()
            ):
                await asyncio.sleep(0.02)


def tls_settings(database, certificates):
    callers = ",".join(f"{name}={scopes}" for name, scopes in NAMES.items())
    files = certificates.server
    return service_settings(
        database,
        BILLING_AUTH="keys",
        BILLING_TLS_CERTIFICATE_FILE=str(files.chain),
        BILLING_TLS_PRIVATE_KEY_FILE=str(files.key),
        BILLING_TLS_CLIENT_CA_FILE=str(files.ca),
        BILLING_TLS_CALLERS=callers,
    )


def client_of(address, files):
    return AsyncBillingClient(address, ca_file=files.ca, certificate_file=files.chain, private_key_file=files.key)


def served(address, files):
    """The certificate that the server shows now to a client with these files."""
    context = ssl.create_default_context(cafile=files.ca)
    context.load_cert_chain(files.chain, files.key)
    host, port = address.split(":")
    with (
        socket.create_connection((host, int(port)), 5) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True)


async def balance(channel, timeout_s=5.0):
    """How a read over this channel ends."""
    stub = billing_pb2_grpc.BillingServiceStub(channel)
    try:
        await stub.GetBalance(accounts_pb2.GetBalanceRequest(account_id="a"), timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@asynccontextmanager
async def loaded(address, certificates):
    """Calls and deliveries while the block runs."""
    metering, gateway = certificates.callers["metering.internal"], certificates.callers["gateway.internal"]
    billing = ClientOptions(
        address=address, ca_file=gateway.ca, certificate_file=gateway.chain, private_key_file=gateway.key
    )
    async with AsyncExitStack() as running:
        client = await running.enter_async_context(client_of(address, metering))
        url = await running.enter_async_context(
            serve_gateway(GatewayConfig(secrets=(WEBHOOK_SECRET,), billing=billing))
        )
        load = Load(client, url)
        tasks = [asyncio.create_task(load.call(number)) for number in range(CALLERS)] + [
            asyncio.create_task(load.deliver())
        ]
        try:
            async with asyncio.timeout(STEP_S_MAX):
                while len(load.done) < len(tasks):  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.02)
            yield load
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(each) for each in ended} == {asyncio.CancelledError}, ended


async def rotate_server(address, certificates, load):
    """A new certificate; then one of another authority, which clients learn to trust before."""
    files = certificates.callers["metering.internal"]
    shown = [served(address, files)]
    certificates.renew_server()
    await load.go_on()
    shown.append(served(address, files))
    old, certificates.servers = certificates.servers, trustme.CA()
    certificates.callers_trust(old, certificates.servers)
    await load.go_on()
    certificates.renew_server()
    await load.go_on()
    certificates.callers_trust(certificates.servers)
    await load.go_on()
    shown.append(served(address, files))
    assert len(set(shown)) == 3, "the server shows an old certificate"


async def rotate_clients(certificates, load, connected):
    """Another authority of clients: trusted beside the old one until all have certificates of it. `connected` keeps its
    own."""
    old, certificates.clients = certificates.clients, trustme.CA()
    certificates.server_trusts(old, certificates.clients)
    await load.go_on()
    certificates.renew_callers(certificates.clients)
    await load.go_on()
    assert await balance(connected) is grpc.StatusCode.OK
    certificates.server_trusts(certificates.clients)


async def outsiders_stay_outside(address, certificates):
    """Whose certificate does not fit is refused in the handshake, or not known."""
    servers, clients = certificates.servers, certificates.clients
    cases = (
        (grpc.StatusCode.UNAUTHENTICATED, presenting(servers, clients, "stranger.internal")),
        (grpc.StatusCode.UNAVAILABLE, presenting(servers, clients, "metering.internal", **expired())),
        (grpc.StatusCode.UNAVAILABLE, presenting(servers, trustme.CA(), "metering.internal")),
        (grpc.StatusCode.UNAVAILABLE, grpc.ssl_channel_credentials(servers.cert_pem.bytes())),
    )
    for code, credentials in cases:
        async with channel_to(address, credentials) as channel:
            assert await balance(channel) is code
    for name, authority, validity in (
        ("other.internal", servers, {}),
        ("127.0.0.1", servers, expired()),
        ("127.0.0.1", trustme.CA(), {}),
    ):
        certificates.certify_server(authority, name, **validity)
        async with channel_to(address, presenting(servers, clients, "metering.internal")) as deceived:
            assert await balance(deceived) is grpc.StatusCode.UNAVAILABLE, (name, validity)


async def out_after_s(channel):
    """Seconds until a client that is connected is refused."""
    begun = time.monotonic()
    while await balance(channel) is grpc.StatusCode.OK:
        assert time.monotonic() - begun < OUT_WITHIN_S, "a client of an authority that is trusted no more goes on"
        await asyncio.sleep(0.1)
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def forker():
    with running_forker(**CONNECTION_AGE) as started:
        yield started


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.timeout(900 if LONG else 120)
async def test_certificates_and_authorities_rotate_under_load(database, forker, tmp_path):
    certificates = Certificates(tmp_path)
    for name in NAMES:
        certificates.caller(name)
    operator = presenting(certificates.servers, certificates.clients, "operator.internal")
    async with running_process(
        forker, tls_settings(database, certificates), tmp_path / "service.log", operator
    ) as service:
        async with channel_to(service.address, operator) as channel:
            await grant(channel, "a", GIVEN)
        async with loaded(service.address, certificates) as load:
            for _ in range(ROUNDS):
                await rotate_server(service.address, certificates, load)
                old = presenting(certificates.servers, certificates.clients, "metering.internal")
                async with channel_to(service.address, old) as connected:
                    await rotate_clients(certificates, load, connected)
                    async with channel_to(service.address, old) as fresh:
                        assert await balance(fresh) is grpc.StatusCode.UNAVAILABLE
                    sys.stdout.write(
                        f"out after {await out_after_s(connected):.1f} s, {sum(load.done.values())} calls\n"
                    )
                await load.go_on()
            assert not load.failed, load.failed
        await outsiders_stay_outside(service.address, certificates)
    deductions = stored(database)[1]
    assert len(deductions) >= len(load.keys) > CALLERS
