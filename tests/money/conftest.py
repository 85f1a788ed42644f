import pytest


@pytest.fixture
async def world(store):
    """Three accounts, one of which referred the others."""
    from tests.money.world import World

    made = World(store)
    await made.begin()
    yield made
    await made.close()
