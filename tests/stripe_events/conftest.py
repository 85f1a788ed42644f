import pytest


@pytest.fixture
async def world(store):
    """A service over an empty ledger, and Stripe's objects and events about what it sells."""
    from tests.support.event_world import running_world

    async with running_world(store) as made:
        yield made
