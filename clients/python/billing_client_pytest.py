# ruff: noqa: INP001 - a module beside the package, not in it
"""Fixtures for the tests of those who call the service: a new, empty one for each test. See `billing_client.testing`.

Beside the package and not in it: pytest imports this at its start in every project that has the client, and the package brings gRPC, which
reads its environment when it is imported; a project's conftest.py comes later."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from billing_client import BillingClient
    from billing_client.testing import RunningService


@pytest.fixture
def prepaid_billing_service() -> "Iterator[RunningService]":
    """The real service on a port of its own, with an empty ledger."""
    from billing_client.testing import running_billing_service

    with running_billing_service() as service:
        yield service


@pytest.fixture
def prepaid_billing_client(prepaid_billing_service: "RunningService") -> "Iterator[BillingClient]":
    """A blocking client of that service."""
    with prepaid_billing_service.client() as client:
        yield client
