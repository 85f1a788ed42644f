"""Several service processes on one database: writers that know nothing of each other, racing on the same accounts and
keys."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from billing_service.clock import TimeOrderedIds
from billing_service.domain.refusals import Reason, Refusal
from billing_service.ledger.keys import Answer
from billing_service.ledger.writer import LedgerWriter
from billing_service.storage.rows.ledger import read_accounts
from tests.support.ledger_setup import deduction, open_account

NAMES = [f"acme {number}" for number in range(5)]


@pytest.fixture
async def writers(store, database, clock):
    """Each with a store of its own on PostgreSQL; SQLite serves one process, so there they share it."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            own = store
            if database.store == "postgresql":
                own = await database.open()
                stack.push_async_callback(own.close)
            writer = LedgerWriter(own, clock, TimeOrderedIds(clock), batch_max=16, wait_s=0)
            stack.push_async_callback(writer.close)
            made.append(writer)
        yield made


async def balances(store):
    return {name: account.balance for name, account in (await store.read(lambda: read_accounts(NAMES))).items()}


async def test_racing_on_the_same_accounts(writers, store, clock, ids):
    for name in NAMES:
        await open_account(store, name, clock=clock, ids=ids, microcredits=30)

    async def caller(number):
        for _ in range(number % 11):
            await asyncio.sleep(0)
        return await writers[number % 2].submit(deduction(NAMES[number // 2 % 5], 1, f"k{number}"))

    told = await asyncio.gather(*(caller(number) for number in range(250)), return_exceptions=True)
    assert sum(isinstance(answer, Answer) for answer in told) == 150
    assert {error.reason for error in told if isinstance(error, Refusal)} == {Reason.INSUFFICIENT_CREDITS}
    assert await balances(store) == dict.fromkeys(NAMES, 0)


async def test_racing_with_the_same_keys(writers, store, clock, ids):
    for name in NAMES:
        await open_account(store, name, clock=clock, ids=ids, microcredits=100)
    operations = [deduction(name, 1, f"k{number}") for number in range(10) for name in NAMES]
    told = await asyncio.gather(
        *(writer.submit(operation) for writer in writers for operation in operations),
        *(writer.submit(operation) for operation in reversed(operations) for writer in writers),
    )
    by_key = {}
    for operation, answer in zip(
        [*operations, *operations, *(operation for operation in reversed(operations) for _ in writers)],
        told,
        strict=True,
    ):
        by_key.setdefault(operation.key.id, []).append(answer)
    for answers in by_key.values():
        assert sorted(answer.replayed for answer in answers) == [False, True, True, True]
        assert len({answer.reply for answer in answers}) == 1
    assert await balances(store) == dict.fromkeys(NAMES, 90)


async def test_accounts_at_random_and_one_hot_one(writers, store, clock, ids):
    """Some requests reach both writers, and each has one effect. The chains are checked after each test."""
    dice = random.Random(11)
    names = [f"at random {number}" for number in range(40)]
    for name in [*names, *NAMES[:1]]:
        await open_account(store, name, clock=clock, ids=ids, microcredits=10_000)
    operations = [
        deduction(NAMES[0] if dice.random() < 0.3 else dice.choice(names), dice.randrange(1, 9), f"k{number}")
        for number in range(600)
    ]
    answers = {}

    async def caller(writer, mine):
        for operation in mine:
            answer = await writer.submit(operation)
            answers.setdefault(operation.key.id, []).append(answer)

    ways = [*([writer] for writer in writers), writers]
    sent = [(writer, operation) for operation in operations for writer in dice.choice(ways)]
    streams = [
        (writer, [operation for to, operation in sent if to is writer][start::8])
        for writer in writers
        for start in range(8)
    ]
    await asyncio.gather(*(caller(*stream) for stream in streams))
    assert sum(map(len, answers.values())) == len(sent)
    for told in answers.values():
        assert sorted(answer.replayed for answer in told) == [False, True][: len(told)]
        assert len({answer.reply for answer in told}) == 1
    spent = Counter()
    for operation in operations:
        spent[operation.account_id] += operation.amount
    found = await store.read(lambda: read_accounts(sorted(spent)))
    assert {name: 10_000 - account.balance for name, account in found.items()} == spent
    assert any(writer.counters.operations_run_again for writer in writers)
