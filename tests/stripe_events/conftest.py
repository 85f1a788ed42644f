import sys
from pathlib import Path

import pytest
import structlog

sys.path.append(str(Path(__file__).parents[1] / "faults"))


@pytest.fixture
async def world(store):
    """A service over an empty ledger, and Stripe's objects and events about what it sells."""
    from event_world import World

    with structlog.testing.capture_logs() as said:
        made = World(store)
        made.said = said
        yield made
        await made.service.writer.close()
        await made.service.balances.close()
