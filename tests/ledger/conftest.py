"""Writers that are closed after the test."""

from contextlib import AsyncExitStack

import pytest

from billing_service.ledger.writer import LedgerWriter
from tests.support.doubles import FakeMonotonic


@pytest.fixture
def steady():
    """Time that does not pass by itself: whom a writer bypasses or isolates stays so, however slow the machine is."""
    return FakeMonotonic()


@pytest.fixture
async def open_writer(store, clock, ids, steady):
    """Makes writers on the test's store, or on one around it."""
    async with AsyncExitStack() as stack:

        def make(on=None, *, batch_max=64):
            made = LedgerWriter(on or store, clock, ids, batch_max=batch_max, wait_s=0.002, monotonic=steady)
            stack.push_async_callback(made.close)
            return made

        yield make


@pytest.fixture
def writer(open_writer):
    return open_writer()
