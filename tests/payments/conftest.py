"""A provider that talks to a scripted server, and does not wait long between its attempts."""

import pytest
import stripe

from billing_service.payments.stripe.provider import StripeProvider
from tests.payments.scripted_stripe import scripted_stripe
from tests.payments.stripe_answers import KEY


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.001)


@pytest.fixture
async def server():
    async with scripted_stripe() as running:
        yield running


@pytest.fixture
async def provider(server):
    opened = StripeProvider(KEY, api_base=server.base, attempt_timeout_s=1, call_timeout_s=20)
    yield opened
    await opened.close()
