"""Durability where it counts: as the transaction itself sees it, which no look from another connection shows."""

from tests.storage.raw_units import read_unit

WAITS_FOR_THE_DISK = {
    "sqlite": ("PRAGMA synchronous", 2),
    "postgresql": ("SELECT current_setting('synchronous_commit')", "on"),
}


async def test_every_transaction_waits_for_the_disk(store, database):
    question, answer = WAITS_FOR_THE_DISK[database.store]
    for _ in range(3):
        assert await store.write(read_unit(question)) == [(answer,)]
