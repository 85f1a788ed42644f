"""Accounts that others change too are locked first for a while, and on a way of their own: neighbours neither run again
nor wait."""

import asyncio

import pytest

from billing_service.domain.ledger.account import Account
from billing_service.domain.refusals import Failure, Reason, Refusal
from billing_service.ledger import contention as contention_module
from billing_service.ledger.contention import LOCKED_FIRST_MAX_S, LOCKED_FIRST_S, Contention
from billing_service.storage.rows.ledger import read_accounts
from tests.support.doubles import FakeMonotonic
from tests.support.ledger_setup import deduction, give, lock_of_another_program, open_account
from tests.support.patience import PATIENCE_S

NAMES = ["acme", "blue", "cyan"]


@pytest.fixture
async def cached(writer, store, clock, ids):
    """Accounts that the writer has in its cache, with 99 microcredits."""
    for name in NAMES:
        await open_account(store, name, clock=clock, ids=ids, microcredits=100)
        await writer.submit(deduction(name, 1, "first"))


def left(answer):
    return int(answer.reply.rpartition(b" ")[2])


@pytest.mark.usefixtures("cached")
async def test_only_the_operations_of_a_changed_account_run_again(writer, store, clock, ids):
    await give(store, "blue", 1, clock=clock, ids=ids)
    commits = store.counters.commits
    submitted = [writer.submit(deduction(name, 1, f"{name} {number}")) for number in range(2) for name in NAMES]
    answers = await asyncio.wait_for(asyncio.gather(*submitted), PATIENCE_S)
    assert [left(answer) for answer in answers] == [98, 99, 98, 97, 98, 97]
    assert not any(answer.replayed for answer in answers)
    counters = writer.counters
    assert (counters.batches_run_again, counters.operations_run_again) == (1, 2)
    assert (counters.operations, counters.batches) == (9, 5)
    assert store.counters.commits == commits + 2


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.usefixtures("cached")
async def test_neighbours_do_not_wait_for_a_locked_account(writer, database):
    async with lock_of_another_program(database, "blue"):
        blue = writer.submit(deduction("blue", 1, "k"))
        for number in range(3):
            others = [writer.submit(deduction(name, 1, f"k{number}")) for name in ("acme", "cyan")]
            answers = await asyncio.wait_for(asyncio.gather(*others), PATIENCE_S)
            assert [left(answer) for answer in answers] == [98 - number] * 2
        assert not blue.done()
    assert left(await asyncio.wait_for(blue, PATIENCE_S)) == 98


async def test_operations_of_an_account_keep_their_order(*, open_writer, store, clock, ids, steady):
    """Some are in the batch that runs again, some wait for the next, some come later; meanwhile its time is over."""
    writer = open_writer(batch_max=3)
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=1_000)
    await writer.submit(deduction("acme", 1, "first"))
    for turn in range(4):
        await give(store, "acme", 1, clock=clock, ids=ids)
        submitted = []
        for number in range(20):
            submitted.append(writer.submit(deduction("acme", 1, f"{turn} {number}")))
            if number >= 8:
                await asyncio.sleep(0)
            if number == 12:
                steady.now += LOCKED_FIRST_MAX_S
        answers = [left(answer) for answer in await asyncio.wait_for(asyncio.gather(*submitted), PATIENCE_S)]
        assert answers == list(range(answers[0], answers[0] - 20, -1))
    assert writer.counters.operations == 81
    assert writer.counters.operations_run_again


@pytest.mark.usefixtures("cached")
async def test_one_that_hangs_up_while_it_waits_holds_nobody_up(open_writer, store, clock, ids):
    writer = open_writer(batch_max=2)
    await writer.submit(deduction("acme", 1, "own"))
    await give(store, "acme", 1, clock=clock, ids=ids)
    submitted = [writer.submit(deduction("acme", 1, f"k{number}")) for number in range(8)]
    submitted[5].cancel()
    answers = await asyncio.wait_for(asyncio.gather(*submitted, return_exceptions=True), PATIENCE_S)
    assert isinstance(answers[5], asyncio.CancelledError)
    assert left(await asyncio.wait_for(writer.submit(deduction("acme", 1, "next")), PATIENCE_S)) == 91
    assert not writer._locked


@pytest.mark.usefixtures("cached")
async def test_a_writer_that_closes_posts_what_runs_again(writer, store, clock, ids):
    await give(store, "blue", 1, clock=clock, ids=ids)
    answers = [writer.submit(deduction("blue", 1, f"k{number}")) for number in range(3)]
    await asyncio.wait_for(writer.close(), PATIENCE_S)
    assert [left(answer.result()) for answer in answers] == [99, 98, 97]
    with pytest.raises(Failure) as caught:
        writer.submit(deduction("blue", 1, "late"))
    assert caught.value.reason is Reason.SHUTTING_DOWN


@pytest.mark.usefixtures("cached")
async def test_what_runs_again_spends_its_key_then(writer, store):
    """A refusal is looked up, and so is what moves in the same batch: it is no replay of itself."""
    moves, refused = writer.submit(deduction("acme", 1, "moves")), writer.submit(deduction("acme", 500, "refused"))
    other = writer.submit(deduction("blue", 1, "moves"))
    assert not (await moves).replayed
    with pytest.raises(Refusal):
        await refused
    assert not (await other).replayed
    assert (await store.read(lambda: read_accounts(["acme"])))["acme"].balance == 98


@pytest.mark.usefixtures("cached")
async def test_what_is_confirmed_is_not_contended(writer, store):
    """An answer that is not given from the cache alone is looked up, and says nothing of others."""
    with pytest.raises(Exception, match="credits"):
        await writer.submit(deduction("blue", 500, "too much"))
    assert not writer._contention
    assert writer.counters.batches_run_again == 0
    await writer.submit(deduction("blue", 1, "next"))
    statements = store.counters.statements
    await writer.submit(deduction("blue", 1, "cached again"))
    assert store.counters.statements - statements == {"sqlite": 7, "postgresql": 1}[store.name]


@pytest.mark.usefixtures("cached")
async def test_who_is_contended_is_locked_first_and_cached_again_in_the_end(*, writer, store, clock, ids, steady):
    await give(store, "blue", 1, clock=clock, ids=ids)
    await writer.submit(deduction("blue", 1, "found out"))
    run_again = writer.counters.batches_run_again
    for number in range(5):
        await give(store, "blue", 1, clock=clock, ids=ids)
        await writer.submit(deduction("blue", 1, f"k{number}"))
    assert writer.counters.batches_run_again == run_again, "locked first"
    steady.now += LOCKED_FIRST_MAX_S
    await writer.submit(deduction("blue", 1, "read"))
    await writer.submit(deduction("blue", 1, "cached"))
    assert writer.counters.batches_run_again == run_again
    assert (await store.read(lambda: read_accounts(["blue"])))["blue"].balance == 97


def account(version, name="acme"):
    return Account(name, version)


def seconds_locked(contention, clock):
    """How long an account is locked first from now on. Time passes meanwhile."""
    seconds = 0.0
    while contention.locks_first("acme"):
        clock.now += LOCKED_FIRST_S
        seconds += LOCKED_FIRST_S
    return seconds


def test_the_time_grows_while_an_account_stays_contended():
    clock = FakeMonotonic()
    contention = Contention(clock)
    assert not contention
    found = []
    for _ in range(9):
        contention.met(["acme"])
        found.append(seconds_locked(contention, clock))
    assert found == [4, 8, 16, 32, 64, 64, 64, 64, 64]
    clock.now += LOCKED_FIRST_MAX_S
    contention.met(["acme"])
    assert seconds_locked(contention, clock) == LOCKED_FIRST_S, "it was left alone for as long as it had been locked"


def test_it_is_seen_under_the_lock_whether_others_go_on():
    clock = FakeMonotonic()
    contention = Contention(clock)
    contention.met(["acme"])
    contention.saw([account(5)])
    assert contention.left(account(6))
    contention.saw([account(6), account(1, "blue")])
    assert seconds_locked(contention, clock) == LOCKED_FIRST_S, "nobody else changed it"
    assert not contention.left(account(7))
    contention.met(["acme"])
    contention.saw([account(9)])
    contention.saw([account(10)])
    contention.saw([account(11)])
    assert seconds_locked(contention, clock) == 8 * LOCKED_FIRST_S
    contention.saw([account(12)])
    assert not contention.locks_first("acme"), "its time was over"


def test_few_are_remembered(monkeypatch):
    monkeypatch.setattr(contention_module, "ACCOUNTS_MAX", 2)
    contention = Contention(FakeMonotonic())
    contention.met(["acme", "blue", "cyan"])
    assert [contention.locks_first(name) for name in NAMES] == [False, True, True]
