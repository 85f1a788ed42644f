"""Writes when API keys were last used: gathered, so that no call waits for it."""

from functools import partial

from billing_service.storage.rows.access import note_use
from billing_service.storage.store import Store


class KeyUses:
    """Remembers the latest use of each key until it is written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._latest: dict[str, int] = {}

    def note(self, key_id: str, when_us: int) -> None:
        """Returns at once."""
        self._latest[key_id] = when_us

    async def write(self) -> None:
        """Writes what was noted; what can't be written is noted again by a later use."""
        latest, self._latest = self._latest, {}
        for key_id, when_us in latest.items():
            await self._store.write(partial(note_use, key_id, when_us))
