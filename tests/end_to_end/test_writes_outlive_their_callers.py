"""A caller hangs up while its write waits for the database: the write goes on, and the service lives."""

import asyncio

import pytest

from tests.support.stack import running_stack

KEY = "hung-up"


class Door:
    """Writes of a store that wait until it is opened, as they do where no connection is free."""

    def __init__(self, store, monkeypatch):
        self.waiting, self.opened, self.written = asyncio.Event(), asyncio.Event(), []
        self._write = store.write
        monkeypatch.setattr(type(store), "write", lambda _store, work: self.write(work))

    async def write(self, work):
        self.waiting.set()
        writing = asyncio.ensure_future(self._enter(work))
        self.written.append(writing)
        return await asyncio.shield(writing)

    async def _enter(self, work):
        await self.opened.wait()
        return await self._write(work)


async def create(stack):
    options = {"account_id": "a", "package_code": "starter", "idempotency_key": KEY}
    return lambda: stack.client.create_purchase(**options)


async def refund(stack):
    options = {"purchase_id": (await stack.buy("a")).purchase_id, "idempotency_key": KEY}
    return lambda: stack.client.refund(**options)


@pytest.mark.parametrize("prepare", [create, refund])
async def test_a_write_goes_on_when_its_caller_hangs_up(database, prepare, monkeypatch):
    async with running_stack(database.url) as stack:
        ask = await prepare(stack)
        with monkeypatch.context() as patched:
            door = Door(stack.service.environment.store, patched)
            asking = asyncio.create_task(ask())
            await door.waiting.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            while stack.service.server.edge.admission.in_flight:  # noqa: ASYNC110 - raises no event
                await asyncio.sleep(0.005)
            door.opened.set()
            await asyncio.gather(*door.written)
        answer, repeated = await ask(), await ask()
        assert repeated.replayed
        answer.replayed = True
        assert answer == repeated
