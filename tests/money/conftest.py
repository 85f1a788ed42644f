import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "integrity"))


@pytest.fixture
async def world(store):
    """Three accounts, one of which referred the others."""
    from world import World

    made = World(store)
    await made.begin()
    yield made
    await made.close()
