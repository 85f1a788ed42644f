"""A store under a running service that fails now and then, before its effect or after it."""

import asyncio
import random
from contextlib import asynccontextmanager, suppress

from billing_service.domain.refusals import storage_unavailable
from tests.support.databases import connect_to

FAILING = 0.06
"""Of transactions; half of them are committed nevertheless."""
KILL_EVERY_S = 0.05


class Faults:
    """Fails transactions of stores, until told to stop."""

    def __init__(self, seed):
        self._chance = random.Random(seed)
        self.active = True
        self.before = 0
        self.after = 0

    def _fails(self, *, after):
        if not self.active or self._chance.random() >= FAILING / 2:
            return
        if after:
            self.after += 1
        else:
            self.before += 1
        raise storage_unavailable("injected")

    def enter(self, store):
        """Makes a store's writing transactions fail."""
        name = "_in_writer" if store.name == "sqlite" else "_transact"
        transact = getattr(store, name)

        async def faulty(work):
            self._fails(after=False)
            result = await transact(work)
            self._fails(after=True)
            return result

        setattr(store, name, faulty)


@asynccontextmanager
async def connections_killed(database, faults):
    """PostgreSQL ends the service's sessions in the middle of whatever they do."""
    if database.store != "postgresql":
        yield
        return

    async def kill():
        connection = await connect_to(database.url)
        try:
            while faults.active:
                await asyncio.sleep(KILL_EVERY_S)
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'prepaid-billing'"
                    " AND datname = current_database() ORDER BY random() LIMIT 2"
                )
        finally:
            await connection.close()

    killing = asyncio.create_task(kill())
    try:
        yield
    finally:
        killing.cancel()
        with suppress(asyncio.CancelledError):
            await killing
