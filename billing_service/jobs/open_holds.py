"""Counts what is held, for operators: holds that nobody captures or releases show as a sum that grows."""

from billing_service.storage.rows.expiry import held_in_all
from billing_service.storage.store import Store


class OpenHolds:
    """As it was at the last look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.count = 0
        self.microcredits = 0

    async def run(self) -> None:
        self.count, self.microcredits = await self._store.read(held_in_all)
