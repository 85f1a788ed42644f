"""Fixtures for the tests of those who call the service. See `billing_service.testing`.

`prepaid_billing_service` and `prepaid_billing_client` are new and empty for each test. `prepaid_billing_shared_service`
and `prepaid_billing_shared_client` are there for the whole run, and each test takes an account of its own by
`prepaid_billing_account_id`: a start is paid for once.

pytest imports this at its start, before the project's conftest.py. gRPC reads its environment when it is imported, so
nothing here imports it before a fixture is used.
"""

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

ACCOUNT_ID_MAX = 128

if TYPE_CHECKING:
    from billing_client import BillingClient

    from billing_service.testing import RunningService


@pytest.fixture
def prepaid_billing_service() -> "Iterator[RunningService]":
    """The real service on a port of its own, with an empty ledger."""
    from billing_service.testing import running_billing_service

    with running_billing_service() as service:
        yield service


@pytest.fixture
def prepaid_billing_client(prepaid_billing_service: "RunningService") -> "Iterator[BillingClient]":
    """A blocking client of that service."""
    with prepaid_billing_service.client() as client:
        yield client


@pytest.fixture(scope="session")
def prepaid_billing_shared_service() -> "Iterator[RunningService]":
    """The real service on a port of its own, with one ledger for all tests of this process."""
    from billing_service.testing import running_billing_service

    with running_billing_service() as service:
        yield service


@pytest.fixture(scope="session")
def prepaid_billing_shared_client(prepaid_billing_shared_service: "RunningService") -> "Iterator[BillingClient]":
    """A blocking client of that service."""
    with prepaid_billing_shared_service.client() as client:
        yield client


@pytest.fixture
def prepaid_billing_account_id(request: pytest.FixtureRequest) -> str:
    """An account id that no other test has; nothing has made the account. More of them: put something behind it."""
    name = "".join(each if each.isascii() and each.isalnum() else "-" for each in request.node.name)
    return f"{name[: ACCOUNT_ID_MAX - 40]}-{secrets.token_hex(8)}"
