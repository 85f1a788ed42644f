"""A value of its own for every secret that the product is given, and what all of them are looked for in."""

import base64
import hashlib
import hmac
import json
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import grpc
import httpx
from billing_client import AsyncBillingClient
from billing_client.options import ClientOptions

from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from tests.support.postgres_tools import run_tool
from tests.support.service_process import running_process, service_settings
from tests.support.stack import PEPPER, STRIPE_KEY, WEBHOOK_SECRET, Stack

DATABASE_PASSWORD = "canary-of-the-database"
OLD_WEBHOOK_SECRET = "whsec_" + "canary-that-rotates-out"
CREDITS_WEBHOOK_SECRET = "whsec_" + "canary-of-another-name"
EVENT_SECRET = "whsec_" + base64.b64encode(b"canary of events, thirty-two bytes").decode()
PROXY_PASSWORD = "canary-of-the-proxy"
PAGE_TOKEN_SECRET = "canary-of-page-tokens-" + "0123456789"
SETTINGS = {
    "DATABASE_URL": DATABASE_PASSWORD,
    "BILLING_API_KEY_PEPPER": PEPPER,
    "BILLING_PAGE_TOKEN_SECRET": PAGE_TOKEN_SECRET,
    "HTTPS_PROXY": f"http://user:{PROXY_PASSWORD}@proxy.invalid:3128",
    "STRIPE_SECRET_KEY": STRIPE_KEY,
    "STRIPE_API_KEY": STRIPE_KEY,
    "STRIPE_WEBHOOK_SECRET": f"{WEBHOOK_SECRET},{OLD_WEBHOOK_SECRET}",
    "STRIPE_WEBHOOK_SECRET_CREDITS": CREDITS_WEBHOOK_SECRET,
    "BILLING_WEBHOOK_SECRETS": EVENT_SECRET,
}
"""By setting; of the database's URL the password alone, and of the proxy's the password is the secret."""


def secret_parts(*api_keys):
    """What must be nowhere: the secrets themselves, and of API keys the random part, since their ids are no secret."""
    whole = [
        DATABASE_PASSWORD,
        PROXY_PASSWORD,
        PEPPER,
        PAGE_TOKEN_SECRET,
        STRIPE_KEY,
        WEBHOOK_SECRET,
        OLD_WEBHOOK_SECRET,
        CREDITS_WEBHOOK_SECRET,
        EVENT_SECRET,
    ]
    return [*whole, *(key.split("_")[2][:32] for key in api_keys)]


def found(secrets, text):
    """Those that a text has, as they are or in hexadecimal."""
    lower = text.lower()
    return [secret for secret in secrets if secret in text or secret.encode().hex() in lower]


def settings_with_canaries(database, settings):
    """Settings of a service with a canary for each secret; the test server asks for no password, and so takes any."""
    given = settings | {name: value for name, value in SETTINGS.items() if name != "DATABASE_URL"}
    return given | ({"DATABASE_URL": with_password(database.url)} if database.store == "postgresql" else {})


def with_password(url):
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"postgres:{DATABASE_PASSWORD}@{host}"))


def stored(database):
    """All that is stored: as text, and of a SQLite database also the bytes of its files, which have what was deleted
    too."""
    if database.store == "postgresql":
        return run_tool("pg_dump", database.url)
    with closing(sqlite3.connect(database.path)) as connection:
        text = "\n".join(connection.iterdump())
    files = [path.read_bytes().decode("latin-1") for path in database.path.parent.glob(f"{database.path.name}*")]
    return "\n".join([text, *files])


@asynccontextmanager
async def running_gateway(processes, service_address, api_key, metrics_port):
    """The gateway as a process of its own: its URL, and a function that reads all it logged."""
    env = {name: value for name, value in SETTINGS.items() if name.startswith("STRIPE_WEBHOOK_SECRET")}
    env |= {"BILLING_ADDRESS": service_address, "BILLING_API_KEY": api_key}
    env |= {"GATEWAY_PORT": "0", "GATEWAY_METRICS_PORT": str(metrics_port)}
    process = processes.start(sys.executable, "-m", "webhook_gateway", **env)
    listening = await processes.until_said(process, '"listening"')
    url = listening.partition('"url":"')[2].partition('"')[0]
    yield url, process.log.read_text
    assert await processes.stop(process) == 0


async def metrics(*ports):
    async with httpx.AsyncClient(timeout=20) as http:
        return "\n".join([(await http.get(f"http://127.0.0.1:{port}/metrics")).text for port in ports])


@dataclass
class Product:
    """Service and gateway as processes of their own, at DEBUG, with a canary for each secret; the sandbox in this
    one."""

    stack: Stack
    channel: grpc.aio.Channel
    key: str
    options: ClientOptions
    metrics_ports: tuple[int, int]
    logged: Callable[[], str]
    """All that service and gateway logged by now."""


@asynccontextmanager
async def running_product(database, forker, processes, log):
    key, ports = await first_key(database), (free_port(), free_port())
    async with AsyncExitStack() as running:
        sandbox_url = await running.enter_async_context(serve_sandbox(SandboxConfig(delivery_first_retry_s=0.05)))
        options = {
            "BILLING_AUTH": "keys",
            "BILLING_LOG_LEVEL": "DEBUG",
            "BILLING_METRICS_ADDRESS": f"127.0.0.1:{ports[0]}",
        }
        settings = settings_with_canaries(database, service_settings(database, sandbox_url, **options))
        service = await running.enter_async_context(running_process(forker, settings, log))
        gateway_url, gateway_log = await running.enter_async_context(
            running_gateway(processes, service.address, key, ports[1])
        )
        http = await running.enter_async_context(httpx.AsyncClient(timeout=20))
        billing = ClientOptions(address=service.address, api_key=key)
        client = await running.enter_async_context(AsyncBillingClient.from_options(billing))
        channel = await running.enter_async_context(grpc.aio.insecure_channel(service.address))
        stack = Stack(client, service, sandbox_url, gateway_url, http)
        await stack.control("webhooks/endpoints", {"url": f"{gateway_url}/webhooks/stripe", "secret": WEBHOOK_SECRET})
        yield Product(stack, channel, key, billing, ports, lambda: log.read_text() + gateway_log())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


async def first_key(database):
    store = await database.open()
    try:
        return await create_key_directly(store, system_clock_us, PEPPER.encode(), "operator", [Scope.ADMIN])
    finally:
        await store.close()


async def deliver(stack, body, header):
    answer = await stack.http.post(
        f"{stack.gateway_url}/webhooks/stripe", content=body, headers={"stripe-signature": header}
    )
    return f"{answer.status_code} {answer.headers} {answer.text}"


async def deliver_signed(stack, event, secret=WEBHOOK_SECRET):
    """Delivers what the service keeps; answers what the gateway said, and the signature, which for some minutes is as
    good as a secret."""
    now = int(time.time())
    made = {
        "id": f"evt_{len(secret)}",
        "object": "event",
        "livemode": False,
        "created": now,
        "api_version": "2025-01-01",
    }
    body = json.dumps(made | event).encode()
    digest = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
    return await deliver(stack, body, f"t={now},v1={digest}"), digest
