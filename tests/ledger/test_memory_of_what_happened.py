"""Memory holds what was committed, and tells no refusal, in company neither."""

import asyncio

import pytest
from ledger_setup import deduction, give, open_account

from billing_service.domain.refusals import Failure, storage_unavailable
from billing_service.storage.ledger_rows import read_accounts

NAMES = ["acme", "blue"]


async def balances(store):
    accounts = await store.read(lambda: read_accounts(NAMES))
    return [accounts[name].balance for name in NAMES]


@pytest.fixture(autouse=True)
async def accounts(store, clock, ids):
    for name in NAMES:
        await open_account(store, name, clock=clock, ids=ids, microcredits=100)


async def test_a_refusal_among_movements_is_not_told_from_memory(writer, store, clock, ids):
    """By what is believed one of the batch moves something and the other can't: then both are looked up."""
    for name in NAMES:
        await writer.submit(deduction(name, 90, "first"))
    await give(store, "acme", 50, clock=clock, ids=ids)
    commits = store.counters.commits
    answers = await asyncio.gather(writer.submit(deduction("acme", 60, "k")), writer.submit(deduction("blue", 1, "k")))
    assert [answer.reply.rpartition(b" ")[2] for answer in answers] == [b"0", b"9"]
    assert store.counters.commits == commits + 1, "one batch"
    assert await balances(store) == [0, 9]


async def test_what_was_not_committed_is_not_remembered(writer, store, monkeypatch):
    """The unit ended and its commit failed: nothing happened, so there is nothing to believe."""
    write = store.write

    async def undone(work):
        def unit():
            yield from work()
            raise storage_unavailable("told to fail")

        return await write(unit)

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", undone)
        with pytest.raises(Failure):
            await writer.submit(deduction("acme", 9, "k"))
    answer = await writer.submit(deduction("acme", 9, "k"))
    assert not answer.replayed
    assert answer.reply.endswith(b"left 91")
    assert store.counters.stale == 0
    assert await balances(store) == [91, 100]
