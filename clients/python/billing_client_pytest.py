"""Fixtures for the tests of those who call the service: a new, empty one for each test. See `billing_client.testing`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from billing_client import BillingClient
    from billing_client.testing import RunningService


@pytest.fixture
def prepaid_billing_service() -> "Iterator[RunningService]":
    """The real service on a port of its own, with an empty ledger."""
    # Imported here, so that pytest does not load gRPC for projects that only have the client installed.
    from billing_client.testing import running_billing_service

    with running_billing_service() as service:
        yield service


@pytest.fixture
def prepaid_billing_client(prepaid_billing_service: "RunningService") -> "Iterator[BillingClient]":
    """A blocking client of that service."""
    with prepaid_billing_service.client() as client:
        yield client
