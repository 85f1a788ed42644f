"""Secrets of every kind through a whole story at DEBUG: in no log, metric, error or row."""

import re
import socket
import sqlite3
from contextlib import AsyncExitStack, closing
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import grpc
import httpx
import pytest
from billing_client import AsyncBillingClient
from billing_client.options import ClientOptions
from databases import run_apart
from every_rpc import METHODS, call, valid_request
from service_process import StartFailedError, running_process, service_settings
from stack import PEPPER, STRIPE_KEY, WEBHOOK_SECRET, Stack

from billing_service.clock import system_clock_us
from billing_service.commands.api_keys import create_key_directly
from billing_service.domain.api_keys import Scope
from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from webhook_gateway.config import GatewayConfig
from webhook_gateway.run import serve_gateway

DATABASE_PASSWORD = "canary-of-the-database"


def with_password(url):
    """The same PostgreSQL database with a password, which the test server does not ask for."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"postgres:{DATABASE_PASSWORD}@{host}"))


async def first_key(database):
    store = await database.open()
    try:
        return await create_key_directly(store, system_clock_us, PEPPER.encode(), "operator", [Scope.ADMIN])
    finally:
        await store.close()


def dump(database):
    """All that is stored, as text."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.path)) as connection:
            return "\n".join(connection.iterdump())
    return run_apart(_dump_postgres(database.url))


async def _dump_postgres(url):
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [await connection.fetch(f"SELECT t::text FROM {table[0]} t") for table in tables]
        return "\n".join(row[0] for table in rows for row in table)
    finally:
        await connection.close()


async def tell_the_story(stack, channel, key):
    """Everything that ordinary callers do, then everything refused; answers what the refused were told, and another key's text."""
    bought = await stack.buy("buyer")
    await stack.client.deduct_credits(account_id="buyer", amount_microcredits=1_000_000)
    await stack.client.refund(purchase_id=bought.purchase_id)
    await stack.webhooks()
    other = (await stack.client.create_api_key(caller="metering", scopes=[1])).secret
    await stack.control("faults", {"kind": "error", "count": 5, "path_prefix": "/v1/checkout"})
    told = []
    for sent in (key, other, other[:-1] + "a", "hunter2", ""):
        for name in METHODS:
            told.append((await call(channel, name, valid_request(name), key=sent)).everything)
            told.append((await call(channel, name, sent.encode() + b"\xff", key=sent)).everything)
    url = f"{stack.gateway_url}/webhooks/stripe"
    for header in ("", f"t=1,v1={WEBHOOK_SECRET}", WEBHOOK_SECRET):
        answer = await stack.http.post(url, content=b"{}", headers={"stripe-signature": header})
        told.append(f"{answer.headers} {answer.text}")
    return "\n".join(told), other


async def test_no_secret_is_logged_shown_told_or_stored(database, forker, tmp_path, capfd):
    key, log = await first_key(database), tmp_path / "service.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        metrics = f"127.0.0.1:{free.getsockname()[1]}"
    async with AsyncExitStack() as running:
        sandbox_url = await running.enter_async_context(serve_sandbox(SandboxConfig(delivery_first_retry_s=0.05)))
        options = {"BILLING_AUTH": "keys", "BILLING_LOG_LEVEL": "DEBUG", "BILLING_METRICS_ADDRESS": metrics}
        settings = service_settings(database, sandbox_url, **options)
        if database.store == "postgresql":
            settings["DATABASE_URL"] = with_password(database.url)
        service = await running.enter_async_context(running_process(forker, settings, log))
        billing = ClientOptions(address=service.address, api_key=key)
        gateway_url = await running.enter_async_context(serve_gateway(GatewayConfig(secrets=(WEBHOOK_SECRET,), billing=billing)))
        http = await running.enter_async_context(httpx.AsyncClient(timeout=20))
        client = await running.enter_async_context(AsyncBillingClient.from_options(billing))
        channel = await running.enter_async_context(grpc.aio.insecure_channel(service.address))
        stack = Stack(client, service, sandbox_url, gateway_url, http)
        await stack.control("webhooks/endpoints", {"url": f"{gateway_url}/webhooks/stripe", "secret": WEBHOOK_SECRET})
        told, other = await tell_the_story(stack, channel, key)
        shown = (await http.get(f"http://{metrics}/metrics")).text
        assert await service.stop() == 0
    logged = log.read_text() + "".join(capfd.readouterr())
    assert re.search(r'"level": ?"debug"|\[debug', logged), "nothing was logged at DEBUG"
    secrets = [STRIPE_KEY, WEBHOOK_SECRET, PEPPER, DATABASE_PASSWORD, *(text.split("_")[2][:32] for text in (key, other))]
    for place, text in {"log": logged, "metrics": shown, "errors": told, "database": dump(database)}.items():
        assert len(text) > 1000, place
        assert not [secret for secret in secrets if secret in text or secret.encode().hex() in text.lower()], place


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.parametrize("host", ["127.0.0.1:9", "nowhere.invalid:5432", "%2Fnowhere:5432"])
async def test_a_database_that_is_not_there_is_told_without_its_password(database, forker, tmp_path, host):
    url, log = f"postgresql://user:{DATABASE_PASSWORD}@{host}/billing", tmp_path / "service.log"
    with pytest.raises(StartFailedError) as failed:
        async with running_process(forker, {**service_settings(database), "DATABASE_URL": url}, log):
            pass
    assert DATABASE_PASSWORD not in str(failed.value) + log.read_text()
