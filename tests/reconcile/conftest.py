import pytest


@pytest.fixture
async def world(store):
    """A service over an empty ledger, and Stripe's objects and events about what it sells."""
    from tests.support.event_world import running_world

    async with running_world(store) as made:
        yield made


@pytest.fixture
def reconciler(world):
    """Asks the world's Stripe as fast as it likes."""
    from billing_service.reconcile.pace import Pace
    from billing_service.reconcile.run import Reconciler

    return Reconciler(world.environment, Pace(1_000_000))
