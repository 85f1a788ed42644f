"""Stores that fail where a test says, around a real one."""

import asyncio


class WrappedStore:
    """Passes everything on, and counts the writes."""

    def __init__(self, store):
        self._store = store
        self.counters = store.counters
        self.name = store.name
        self.writes = 0

    async def write(self, work):
        return await self.write_by_attempt(lambda _attempt: work())

    async def write_by_attempt(self, work):
        self.writes += 1
        return await self._store.write_by_attempt(work)

    async def read(self, work):
        return await self._store.read(work)


class GatedStore(WrappedStore):
    """A write begins, and goes on when the gate opens."""

    def __init__(self, store):
        super().__init__(store)
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()

    async def write_by_attempt(self, work):
        self.begun.set()
        await self.gate.wait()
        return await super().write_by_attempt(work)


class PausedStore(WrappedStore):
    """The first write goes on when the gate opens; those after it do not wait."""

    def __init__(self, store):
        super().__init__(store)
        self.gate = asyncio.Event()
        self._first = True

    async def write_by_attempt(self, work):
        first, self._first = self._first, False
        if first:
            await self.gate.wait()
        return await super().write_by_attempt(work)


class FailingStore(WrappedStore):
    """Fails writes before or after their effect, as often as told."""

    def __init__(self, store, error, *, times, after_effect=False):
        super().__init__(store)
        self._error = error
        self._times = times
        self._after_effect = after_effect

    async def write_by_attempt(self, work):
        if not self._times:
            return await super().write_by_attempt(work)
        self._times -= 1
        if self._after_effect:
            await super().write_by_attempt(work)
        else:
            self.writes += 1
        raise self._error
