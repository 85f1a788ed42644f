"""Callers that hang up, databases that fail, operations that break: neighbours never notice."""

import asyncio
import random

import pytest

from billing_service.domain.refusals import Failure, Reason, Refusal, conflict, storage_unavailable
from billing_service.ledger.keys import Answer
from billing_service.storage.rows.ledger import read_accounts
from tests.ledger.wrapped_stores import FailingStore, GatedStore, PausedStore, WrappedStore
from tests.support.databases import connect_to
from tests.support.ledger_setup import deduction, open_account
from tests.support.patience import PATIENCE_S


async def balance(store):
    return (await store.read(lambda: read_accounts(["acme"])))["acme"].balance


@pytest.fixture
async def acme(store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=100)


pytestmark = pytest.mark.usefixtures("acme")


async def test_one_that_hung_up_before_its_batch_is_dropped(writer, store):
    left, stayed = writer.submit(deduction("acme", 1, "k1")), writer.submit(deduction("acme", 2, "k2"))
    left.cancel()
    await stayed
    assert await balance(store) == 98
    assert not (await writer.submit(deduction("acme", 1, "k1"))).replayed


async def test_one_that_hangs_up_while_another_batch_runs_is_dropped(open_writer, store):
    gated = GatedStore(store)
    writer = open_writer(gated)
    first = writer.submit(deduction("acme", 1, "k1"))
    await gated.begun.wait()
    second = writer.submit(deduction("acme", 2, "k2"))
    second.cancel()
    gated.gate.set()
    await first
    await writer.close()
    assert (gated.writes, await balance(store)) == (1, 99)


async def test_one_that_hangs_up_after_its_batch_began_is_applied_and_replays(open_writer, store):
    gated = GatedStore(store)
    writer = open_writer(gated)
    caller = asyncio.ensure_future(asyncio.wait_for(writer.submit(deduction("acme", 1, "k1")), PATIENCE_S))
    neighbour = writer.submit(deduction("acme", 2, "k2"))
    await gated.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gated.gate.set()
    assert not (await neighbour).replayed
    assert await balance(store) == 97
    assert (await writer.submit(deduction("acme", 1, "k1"))).replayed


async def test_a_storm_of_hang_ups_and_retries_has_each_effect_once(open_writer, store):
    writer = open_writer(batch_max=8)
    dice = random.Random(3)

    async def caller(number):
        for _ in range(dice.randrange(30)):
            await asyncio.sleep(0)
        asked = writer.submit(deduction("acme", 1, f"k{number}"))
        for _ in range(dice.randrange(30)):
            await asyncio.sleep(0)
        if dice.random() < 0.6:
            asked.cancel()
        return await asyncio.gather(asked, return_exceptions=True)

    first = [answer for (answer,) in await asyncio.gather(*(caller(number) for number in range(90)))]
    again = await asyncio.gather(*(writer.submit(deduction("acme", 1, f"k{number}")) for number in range(90)))
    assert any(isinstance(answer, asyncio.CancelledError) for answer in first)
    for before, after in zip(first, again, strict=True):
        if isinstance(before, Answer):
            assert after == Answer(before.reply, replayed=True)
    assert await balance(store) == 10


def breaking(key):
    operation = deduction("acme", 1, key)

    def encode(_deducted, _balance):
        raise ValueError("a defect of this one operation")

    object.__setattr__(operation, "encode_reply", encode)
    return operation


@pytest.mark.parametrize("position", [0, 3, 7])
async def test_a_culprit_is_found_and_its_neighbours_are_posted(open_writer, store, capsys, position):
    counted = WrappedStore(store)
    writer = open_writer(counted)
    operations = [deduction("acme", 1, f"k{number}") for number in range(7)]
    operations.insert(position, breaking("broken"))
    told = await asyncio.gather(*(writer.submit(operation) for operation in operations), return_exceptions=True)
    assert isinstance(told.pop(position), ValueError)
    assert [answer.replayed for answer in told] == [False] * 7
    assert await balance(store) == 93
    assert counted.writes == 10  # all together, the account by itself, then each operation
    assert "batch_failed" in capsys.readouterr().out


async def test_a_lone_culprit_is_told(writer, store):
    with pytest.raises(ValueError, match="defect"):
        await writer.submit(breaking("broken"))
    assert await balance(store) == 100


async def test_a_batch_that_conflicts_is_posted_account_by_account(open_writer, store, clock, ids):
    for account_id in ("beta", "gamma"):
        await open_account(store, account_id, clock=clock, ids=ids, microcredits=10)
    failing = FailingStore(store, conflict(), times=1)
    writer = open_writer(failing)
    accounts = ["acme", "beta", "gamma", "acme"]
    told = await asyncio.gather(
        *(writer.submit(deduction(account_id, 1, f"k{n}")) for n, account_id in enumerate(accounts))
    )
    assert [answer.replayed for answer in told] == [False] * 4
    assert failing.writes == 4
    assert await balance(store) == 98


async def test_what_comes_later_never_overtakes_what_is_posted_by_itself(open_writer, store, clock, ids):
    """Neither of the same account, nor does it keep another account's waiting."""
    await open_account(store, "beta", clock=clock, ids=ids, microcredits=10)
    withheld = PausedStore(store)
    writer = open_writer(FailingStore(withheld, conflict(), times=1), batch_max=2)
    begun = [writer.submit(deduction("acme", 1, f"k{number}")) for number in range(7)]
    assert not (await writer.submit(deduction("beta", 1, "k"))).replayed
    withheld.gate.set()
    assert [answer.reply.partition(b" ")[2] for answer in await asyncio.gather(*begun)] == [
        b"took 1 left %d" % (99 - n) for n in range(7)
    ]
    assert withheld.writes == 5  # four of acme's, none larger than a batch


async def test_a_conflict_that_lasts_is_told_and_the_key_stays_free(open_writer, store):
    writer = open_writer(FailingStore(store, conflict(), times=2))
    with pytest.raises(Failure) as caught:
        await writer.submit(deduction("acme", 1, "k"))
    assert caught.value.reason is Reason.CONFLICT
    assert not (await writer.submit(deduction("acme", 1, "k"))).replayed


async def test_an_account_by_itself_that_is_interrupted_inside_tells_its_callers_and_goes_on(open_writer, store):
    writer = open_writer(
        FailingStore(FailingStore(store, asyncio.CancelledError(), times=1), conflict(), times=1), batch_max=1
    )
    told = await asyncio.gather(
        *(writer.submit(deduction("acme", 1, f"k{number}")) for number in range(3)), return_exceptions=True
    )
    assert [getattr(answer, "reason", None) for answer in told] == [Reason.CONFLICT, None, None]
    assert await balance(store) == 98


async def test_an_account_that_another_program_keeps_locked_holds_up_nobody_else(
    open_writer, store, database, clock, ids
):
    """The others are answered while the lock is still held, in the first batch and in the next ones."""
    if database.store == "sqlite":
        pytest.skip("SQLite locks whole files, and keeps other programs out")
    await open_account(store, "beta", clock=clock, ids=ids, microcredits=10)
    counted = WrappedStore(store)
    writer = open_writer(counted)
    blocker = await connect_to(database.url)
    try:
        await blocker.execute("BEGIN; SELECT 1 FROM accounts WHERE account_id = 'acme' FOR UPDATE")
        stuck = writer.submit(deduction("acme", 1, "stuck"))
        for number in range(3):
            assert not (await writer.submit(deduction("beta", 1, f"k{number}"))).replayed
        with pytest.raises(Failure) as told:
            await stuck
        assert told.value.reason is Reason.CONFLICT
        before = counted.writes
        isolated = writer.submit(deduction("acme", 1, "isolated"))
        assert not (await writer.submit(deduction("beta", 1, "next"))).replayed
        assert counted.writes == before + 2  # one each, and none for both together
        assert not isolated.done()
    finally:
        await blocker.close()
    assert not (await isolated).replayed
    assert not (await writer.submit(deduction("acme", 1, "stuck"))).replayed
    assert await balance(store) == 98


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "committed"])
async def test_an_unreachable_database_is_told_at_once_and_the_key_finds_out(open_writer, store, *, after_effect):
    """Also when it is unknown whether the commit happened: the same key has one effect, then the original reply."""
    failing = FailingStore(store, storage_unavailable(), times=1, after_effect=after_effect)
    writer = open_writer(failing)
    operations = [deduction("acme", 1, f"k{number}") for number in range(5)]
    told = await asyncio.gather(*(writer.submit(operation) for operation in operations), return_exceptions=True)
    assert [failure.reason for failure in told] == [Reason.STORAGE_UNAVAILABLE] * 5
    assert failing.writes == 1
    again = await asyncio.gather(*(writer.submit(operation) for operation in operations))
    assert [answer.replayed for answer in again] == [after_effect] * 5
    assert await balance(store) == 95


async def test_a_refusal_in_a_batch_that_is_split_stays_its_own(open_writer, store):
    writer = open_writer(FailingStore(store, conflict(), times=1))
    told = await asyncio.gather(
        *(writer.submit(deduction("acme", amount, f"k{amount}")) for amount in (60, 50, 40)), return_exceptions=True
    )
    assert isinstance(told[1], Refusal)
    assert [isinstance(answer, Answer) for answer in told] == [True, False, True]
    assert [told[place].reply.partition(b" ")[2] for place in (0, 2)] == [b"took 60 left 40", b"took 40 left 0"]
    assert await balance(store) == 0
