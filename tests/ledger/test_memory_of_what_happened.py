"""Memory holds what was committed, and tells no refusal, in company neither; whichever way a batch goes."""

import asyncio

import pytest

from billing_service.domain.refusals import Failure, Reason, Refusal, storage_unavailable
from billing_service.ledger import writer as writer_module
from billing_service.storage.rows.ledger import read_accounts
from tests.support.ledger_setup import deduction, give, open_account

NAMES = ["acme", "blue"]


async def balances(store):
    accounts = await store.read(lambda: read_accounts(NAMES))
    return [accounts[name].balance for name in NAMES]


@pytest.fixture(autouse=True)
async def accounts(store, clock, ids):
    for name in NAMES:
        await open_account(store, name, clock=clock, ids=ids, microcredits=100)


async def test_a_refusal_among_movements_is_not_told_from_memory(writer, store, clock, ids):
    """By what is cached one of the batch moves something and the other can't: then the other is looked up."""
    for name in NAMES:
        await writer.submit(deduction(name, 90, "first"))
    await give(store, "acme", 50, clock=clock, ids=ids)
    commits = store.counters.commits
    answers = await asyncio.gather(writer.submit(deduction("acme", 60, "k")), writer.submit(deduction("blue", 1, "k")))
    assert [answer.reply.rpartition(b" ")[2] for answer in answers] == [b"0", b"9"]
    assert store.counters.commits == commits + 2, "each for itself"
    assert await balances(store) == [0, 9]


@pytest.mark.parametrize("glances_max", [0, 2], ids=["locked", "glanced at"])
async def test_a_key_that_was_spent_is_told_before_a_lack_of_credits(open_writer, monkeypatch, glances_max):
    monkeypatch.setattr(writer_module, "OPTIMISTIC_ATTEMPTS_MAX", glances_max)
    first = await open_writer().submit(deduction("acme", 100, "k"))
    writer = open_writer()  # remembers nothing
    again = await writer.submit(deduction("acme", 100, "k"))
    assert (again.reply, again.replayed) == (first.reply, True)
    for key, reason in (("k", Reason.IDEMPOTENCY_KEY_REUSED), ("other", Reason.INSUFFICIENT_CREDITS)):
        with pytest.raises(Refusal) as caught:
            await writer.submit(deduction("acme", 101, key))
        assert caught.value.reason is reason


async def test_what_was_not_committed_is_not_remembered(writer, store, monkeypatch):
    """The unit ended and its commit failed: nothing happened, so there is nothing to believe."""
    write = store.write_by_attempt

    async def undone(work):
        def unit(attempt):
            yield from work(attempt)
            raise storage_unavailable("told to fail")

        return await write(unit)

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_by_attempt", undone)
        patched.setattr(writer_module, "OPTIMISTIC_ATTEMPTS_MAX", 0)  # with locks, the unit ends before its commit
        with pytest.raises(Failure):
            await writer.submit(deduction("acme", 9, "k"))
    answer = await writer.submit(deduction("acme", 9, "k"))
    assert not answer.replayed
    assert answer.reply.endswith(b"left 91")
    assert store.counters.stale == 0
    assert await balances(store) == [91, 100]
