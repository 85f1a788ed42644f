import logging
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import structlog

from tests.monitoring.alert_rules import scrape
from tests.support.stack import Stack, running_stack
from tests.support.wire import Wire
from webhook_gateway.metrics import serving_metrics


@pytest.fixture(autouse=True)
def _only_errors():
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def _hasty_sdk(monkeypatch):
    """The pauses of Stripe's SDK between its attempts, made short."""
    monkeypatch.setattr("stripe.HTTPClient.INITIAL_DELAY", 0.01)
    monkeypatch.setattr("stripe.HTTPClient.MAX_DELAY", 0.02)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@dataclass
class Watched:
    """A running product with its two pages of metrics."""

    stack: Stack
    wire: Wire
    """Calls without retries."""
    service_port: int
    gateway_port: int

    def scrape(self):
        return scrape(self.service_port, self.gateway_port)

    def sample(self, series):
        return self.scrape().samples[series]


@pytest.fixture
def watched():
    @asynccontextmanager
    async def run(database_url, **settings):
        service_port, gateway_port = free_port(), free_port()
        with serving_metrics(gateway_port):
            settings["BILLING_METRICS_ADDRESS"] = f"127.0.0.1:{service_port}"
            async with running_stack(database_url, **settings) as stack, Wire(stack.service.address) as wire:
                yield Watched(stack, wire, service_port, gateway_port)

    return run
