import asyncio

import pytest
from billing_client import AsyncBillingClient, BillingClient

from tests.support.fake_service import running_fake_service


@pytest.fixture
def service():
    with running_fake_service() as fake:
        yield fake


@pytest.fixture(params=["blocking", "asyncio"])
def call(request, service):
    """Calls one method by name on either client, with the same outcome to look at."""

    async def run(method, *, address=None, api_key=None, client_headers=None, **arguments):
        options = {"api_key": api_key, "headers": client_headers}
        if request.param == "blocking":
            with BillingClient(address or service.address, **options) as client:
                return await asyncio.to_thread(getattr(client, method), **arguments)
        async with AsyncBillingClient(address or service.address, **options) as client:
            return await getattr(client, method)(**arguments)

    return run


@pytest.fixture
def quick_retries(monkeypatch):
    """Attempts follow each other at once; what decides whether there is another stays as it is."""
    monkeypatch.setattr("billing_client.retries.BACKOFF_S", 0.001)
