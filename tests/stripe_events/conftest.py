import pytest
import structlog


@pytest.fixture
async def world(store):
    """A service over an empty ledger, and Stripe's objects and events about what it sells."""
    from tests.stripe_events.event_world import World

    with structlog.testing.capture_logs() as said:
        made = World(store)
        made.said = said
        yield made
        await made.service.writer.close()
        await made.service.balances.close()
