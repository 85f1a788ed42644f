"""An exception's text, wherever it comes from, reaches no caller and no metric."""

import socket

import grpc
import httpx
import pytest
import structlog

from billing_service.bootstrap import open_service
from billing_service.payments.stripe.provider import StripeProvider
from billing_service.settings import load_settings
from tests.security.every_rpc import METHODS, call, valid_request
from tests.support.stack import environment

CANARY = "canary-hunter2"
STATEMENTS_RUN_BY = ("_drive", "_execute", "_read_unlocked", "_run_repeated")


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
async def service(database):
    metrics = free_address()
    settings = environment(
        database.url,
        "http://127.0.0.1:9",
        BILLING_MIGRATE_ON_START="false",
        BILLING_METRICS_ADDRESS=metrics,
    )
    # Captured, or each of dozens of tracebacks is rendered with its variables, which takes seconds.
    with structlog.testing.capture_logs() as lines:
        async with open_service(load_settings(settings)) as started:
            yield started
            async with httpx.AsyncClient() as http:
                shown = (await http.get(f"http://{metrics}/metrics")).text
    assert CANARY in repr(lines), "operators are not told"
    assert "billing_" in shown
    assert CANARY not in shown


def raise_canary(*_args, **_options):
    raise RuntimeError(CANARY)


async def test_a_statement_that_raises(service, monkeypatch):
    async with grpc.aio.insecure_channel(service.address) as channel:
        assert (await call(channel, "GrantCredits", valid_request("GrantCredits"))).code is grpc.StatusCode.OK
        store = service.environment.store
        for method in STATEMENTS_RUN_BY:
            if hasattr(store, method):
                monkeypatch.setattr(store, method, raise_canary)
        for name in METHODS:
            seen = await call(channel, name, valid_request(name))
            assert CANARY not in seen.everything, name
            if seen.code is not grpc.StatusCode.OK and seen.reason != "STRIPE_UNAVAILABLE":  # asked before the database
                assert seen.code in {grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT}, (
                    f"{name}: {seen.everything}"
                )
        assert (await call(channel, "DeductCredits", valid_request("DeductCredits"))).reason == "INTERNAL"
        monkeypatch.undo()
        assert (await call(channel, "DeductCredits", valid_request("DeductCredits"))).code is grpc.StatusCode.OK


async def test_a_payment_provider_that_raises(service, monkeypatch):
    for method in ("create_checkout", "create_customer"):
        monkeypatch.setattr(StripeProvider, method, raise_canary)
    async with grpc.aio.insecure_channel(service.address) as channel:
        seen = await call(channel, "CreatePurchase", valid_request("CreatePurchase"))
        assert seen.reason == "INTERNAL"
        assert CANARY not in seen.everything
