"""What a writer caches of an account is only expected: whatever others did meanwhile is found out before anybody is
answered."""

import asyncio

import pytest

from billing_service.clock import TimeOrderedIds
from billing_service.domain.ledger.account import Account
from billing_service.domain.refusals import Reason, Refusal, storage_unavailable
from billing_service.domain.spending.deductions import DeductionMode
from billing_service.ledger import account_cache, contention, posting
from billing_service.ledger.account_cache import AccountCache
from billing_service.ledger.keys import Answer
from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.rows import batches as batch_rows
from billing_service.storage.rows.ledger import read_accounts
from billing_service.storage.rows.ledger_statements import SET_LIMITS
from tests.support.doubles import SECOND_US
from tests.support.ledger_setup import deduction, give, lock_of_another_program, open_account
from tests.support.patience import PATIENCE_S

NAMES = ["acme", "blue", "cyan"]


async def remembering(writer, store, *, clock, ids, microcredits=100, names=NAMES):
    """Accounts that the writer remembers."""
    for name in names:
        await open_account(store, name, clock=clock, ids=ids, microcredits=microcredits)
        await writer.submit(deduction(name, 1, f"first {name}"))


async def refused(answer):
    with pytest.raises(Refusal) as caught:
        await asyncio.wait_for(answer, PATIENCE_S)
    return caught.value.reason


async def balance(store, name="acme"):
    return (await store.read(lambda: read_accounts([name])))[name].balance


def limits(*, frozen=0, overdraft_limit=0, debt_max=-1):
    def work():
        yield SET_LIMITS("acme", frozen, overdraft_limit, debt_max)

    return work


@pytest.fixture
async def other(store, database, clock, steady):
    """A writer that knows nothing of the first one; on PostgreSQL in another process's place."""
    own = await database.open() if database.store == "postgresql" else store
    made = LedgerWriter(own, clock, TimeOrderedIds(clock), batch_max=64, wait_s=0, monotonic=steady)
    yield made
    await made.close()
    if own is not store:
        await own.close()


async def test_what_is_remembered_is_not_read_again(writer, store, clock, ids):
    await remembering(writer, store, clock=clock, ids=ids)
    counters = store.counters
    before = counters.statements
    answers = await asyncio.gather(*(writer.submit(deduction(name, 1, "again")) for name in NAMES))
    assert not any(answer.replayed for answer in answers)
    assert counters.statements - before == {"sqlite": 7, "postgresql": 1}[store.name]
    assert counters.stale == 0


async def test_only_what_is_not_remembered_is_read(writer, store, clock, ids):
    """One account more costs one statement more, and no lock."""
    await remembering(writer, store, clock=clock, ids=ids, names=NAMES[:2])
    await open_account(store, "cyan", clock=clock, ids=ids, microcredits=1)
    before = store.counters.statements
    told = await asyncio.gather(*(writer.submit(deduction(name, 2, "again")) for name in NAMES), return_exceptions=True)
    assert [type(answer) for answer in told] == [Answer, Answer, Refusal]
    assert store.counters.statements - before == {"sqlite": 8, "postgresql": 2}[store.name]
    assert store.counters.stale == 0


async def test_refusals_alone_begin_no_transaction(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1)
    before = store.counters.statements
    assert await refused(writer.submit(deduction("acme", 2, "k"))) is Reason.INSUFFICIENT_CREDITS
    assert store.counters.statements - before == 1


async def test_accounts_that_others_change_all_the_time_are_locked_in_the_end(writer, store, clock, ids, monkeypatch):
    """The unlocked read is out of date when the conditional write comes."""
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=100)
    glanced = []

    def meddling(account_ids, wanted):
        found = yield from batch_rows.read_batch(account_ids, wanted)
        glanced.append(account_ids)
        found[0]["acme"].version += 1
        return found

    monkeypatch.setattr(posting, "read_batch", meddling)
    assert (await writer.submit(deduction("acme", 100, "k"))).reply.endswith(b"left 0")
    assert (glanced, store.counters.stale) == ([["acme"]], 1)


async def test_credits_that_another_spent_are_gone(writer, other, store, clock, ids):
    await remembering(writer, store, clock=clock, ids=ids, names=NAMES[:2])
    for name, theirs in (("acme", 50), ("blue", 99)):
        await other.submit(deduction(name, theirs, "theirs"))
    assert (await writer.submit(deduction("acme", 40, "ours"))).reply.endswith(b"left 9")
    assert await refused(writer.submit(deduction("blue", 40, "ours"))) is Reason.INSUFFICIENT_CREDITS
    assert store.counters.stale == 2
    assert await refused(writer.submit(deduction("blue", 40, "again"))) is Reason.INSUFFICIENT_CREDITS
    assert store.counters.stale == 2, "what was decided and not written was expected"
    assert (await balance(store), await balance(store, "blue")) == (9, 0)


async def test_credits_that_came_meanwhile_are_there(writer, store, clock, ids):
    await remembering(writer, store, clock=clock, ids=ids)
    await give(store, "acme", 50, clock=clock, ids=ids)
    assert (await writer.submit(deduction("acme", 149, "all"))).reply.endswith(b"left 0")


async def test_a_refusal_is_never_told_from_memory(writer, store, clock, ids):
    """The writer believes that 9 are left; before it says so it looks."""
    await remembering(writer, store, clock=clock, ids=ids)
    await writer.submit(deduction("acme", 90, "most"))
    await give(store, "acme", 1, clock=clock, ids=ids)
    assert (await writer.submit(deduction("acme", 10, "rest"))).reply.endswith(b"left 0")
    await give(store, "acme", 5, clock=clock, ids=ids)
    taken = await writer.submit(deduction("acme", 9, "up to", mode=DeductionMode.UP_TO_AVAILABLE))
    assert b"took 5 left 0" in taken.reply


@pytest.mark.parametrize("accounts", [1, 3])
async def test_freezing_makes_no_version_and_is_seen_all_the_same(writer, store, clock, ids, accounts):
    await remembering(writer, store, clock=clock, ids=ids)
    await store.write(limits(frozen=1))
    answers = [writer.submit(deduction(name, 1, "frozen")) for name in NAMES[:accounts]]
    assert await refused(answers[0]) is Reason.ACCOUNT_FROZEN
    assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*answers[1:]))
    await store.write(limits())
    assert not (await writer.submit(deduction("acme", 1, "frozen"))).replayed


async def test_an_overdraft_limit_that_was_taken_away_is_not_used(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=10, overdraft_limit=100)
    await writer.submit(deduction("acme", 1, "first"))
    await store.write(limits())
    assert await refused(writer.submit(deduction("acme", 50, "owed"))) is Reason.INSUFFICIENT_CREDITS


async def test_a_bound_of_debt_that_was_lowered_is_not_passed(writer, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=10)
    await writer.submit(deduction("acme", 15, "first", mode=DeductionMode.ALLOW_DEBT))
    await store.write(limits(debt_max=20))
    assert (
        await refused(writer.submit(deduction("acme", 50, "owed", mode=DeductionMode.ALLOW_DEBT)))
        is Reason.INSUFFICIENT_CREDITS
    )
    await writer.submit(deduction("acme", 15, "within", mode=DeductionMode.ALLOW_DEBT))
    await store.write(limits(debt_max=70))
    await writer.submit(deduction("acme", 50, "owed", mode=DeductionMode.ALLOW_DEBT))
    assert await balance(store) == -70


async def test_a_key_that_another_spent_replays_its_answer(writer, other, store, clock, ids):
    await remembering(writer, store, clock=clock, ids=ids)
    theirs = await other.submit(deduction("acme", 7, "k"))
    assert await writer.submit(deduction("acme", 7, "k")) == Answer(theirs.reply, replayed=True)
    assert await refused(writer.submit(deduction("acme", 8, "k"))) is Reason.IDEMPOTENCY_KEY_REUSED
    assert await balance(store) == 92


async def test_a_replay_of_its_own_is_found_too(writer, store, clock, ids):
    await remembering(writer, store, clock=clock, ids=ids)
    first = await writer.submit(deduction("acme", 7, "k"))
    again, fresh = await asyncio.gather(
        writer.submit(deduction("acme", 7, "k")), writer.submit(deduction("blue", 7, "k"))
    )
    assert (again, fresh.replayed) == (Answer(first.reply, replayed=True), False)
    assert (await balance(store), await balance(store, "blue")) == (92, 92)


async def test_a_key_twice_in_one_batch_moves_once(writer, store, clock, ids):
    await remembering(writer, store, clock=clock, ids=ids)
    answers = await asyncio.gather(*(writer.submit(deduction("acme", 7, "k")) for _ in range(3)))
    assert sorted(answer.replayed for answer in answers) == [False, True, True]
    assert await balance(store) == 92


async def test_one_that_is_stale_costs_its_neighbours_nothing(writer, other, store, clock, ids):
    await remembering(writer, store, clock=clock, ids=ids)
    await other.submit(deduction("blue", 99, "theirs"))
    told = await asyncio.gather(*(writer.submit(deduction(name, 5, "ours")) for name in NAMES), return_exceptions=True)
    assert [type(answer) for answer in told] == [Answer, Refusal, Answer]
    assert [await balance(store, name) for name in NAMES] == [94, 0, 94]


@pytest.mark.parametrize("after_effect", [False, True])
async def test_what_failed_is_forgotten(open_writer, store, clock, ids, monkeypatch, *, after_effect):
    writer = open_writer()
    await remembering(writer, store, clock=clock, ids=ids)
    write = store.write_by_attempt

    async def failing(work):
        if after_effect:
            await write(work)
        raise storage_unavailable("told to fail")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_by_attempt", failing)
        answer = (await asyncio.gather(writer.submit(deduction("acme", 9, "k")), return_exceptions=True))[0]
        assert answer.reason is Reason.STORAGE_UNAVAILABLE
    found = await writer.submit(deduction("acme", 9, "k"))
    assert found.replayed is after_effect
    assert await balance(store) == 90


async def test_two_writers_on_one_account_do_not_try_in_vain_for_ever(*, writer, other, store, clock, ids, steady):
    """Whom another writer contradicted once is read for a while, and not cached again each time."""
    await remembering(writer, store, clock=clock, ids=ids, names=["acme"])

    async def take_turns(name):
        for number in range(5):
            await other.submit(deduction("acme", 1, f"theirs {name} {number}"))
            await writer.submit(deduction("acme", 1, f"ours {name} {number}"))
        return store.counters.stale

    # Each writer is contradicted once; on PostgreSQL the other one counts in a store of its own.
    contradicted = {"sqlite": 2, "postgresql": 1}[store.name]
    assert [await take_turns("first"), await take_turns("second")] == [contradicted] * 2
    steady.now += contention.LOCKED_FIRST_MAX_S
    assert [await take_turns("later"), await take_turns("last")] == [contradicted * 2] * 2, (
        "after a while it is cached again"
    )
    assert await balance(store) == 59


async def test_credits_that_end_while_a_lock_is_waited_for_are_not_spent(writer, store, database, clock, ids):
    """The clock is read once the lock is there, also where all else was known before."""
    await open_account(store, "acme", clock=clock, ids=ids)
    await give(store, "acme", 100, clock=clock, ids=ids, expire_us=clock() + SECOND_US)
    await writer.submit(deduction("acme", 1, "first"))
    async with lock_of_another_program(database, "acme"):
        answer = writer.submit(deduction("acme", 50, "late"))
        while not store.counters.stale:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0)
        clock.advance_s(2)
        assert not answer.done()
    assert await refused(answer) is Reason.INSUFFICIENT_CREDITS


def account(name, version=1, lots=0):
    return Account(name, version, lots=[None] * lots)


def test_accounts_that_are_taken_are_forgotten():
    memory = AccountCache()
    memory.keep([account("acme"), account("blue")])
    assert set(memory.take(["acme", "cyan"])) == {"acme"}
    assert set(memory.take(["acme", "blue"])) == {"blue"}


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(account_cache, "ACCOUNTS_MAX", 2)
    memory = AccountCache()
    memory.keep([account("acme"), account("blue")])
    memory.keep(memory.take(["acme"]).values())
    memory.keep([account("cyan"), account("many", lots=account_cache.LOTS_MAX + 1)])
    assert set(memory.take(["acme", "blue", "cyan", "many"])) == {"acme", "cyan"}
