"""Balances: many read in one statement, each holding all that was acknowledged before it was asked for."""

import asyncio

import pytest

from billing_service.domain.ledger.lots import Category
from billing_service.domain.refusals import Failure, Reason, Refusal, storage_unavailable
from billing_service.ledger.reader import BalanceReader
from billing_service.storage.store import BEGIN_AND_COMMIT
from tests.support.doubles import SECOND_US
from tests.support.ledger_setup import deduction, give, open_account


@pytest.fixture
async def reader(store, clock):
    made = BalanceReader(store, clock, batch_max=64, wait_s=0.002)
    yield made
    await made.close()


async def test_an_unknown_account(reader, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)
    known, unknown = await asyncio.gather(reader.balance("acme"), reader.balance("Acme"), return_exceptions=True)
    assert known.available == 5
    assert isinstance(unknown, Refusal)
    assert (unknown.reason, unknown.metadata) == (Reason.ACCOUNT_NOT_FOUND, {"account_id": "Acme"})


async def test_a_failure_is_told_to_each(clock):
    class Dead:
        async def read(self, _work):
            raise storage_unavailable()

    reader = BalanceReader(Dead(), clock, batch_max=4, wait_s=0)
    told = await asyncio.gather(*(reader.balance(f"acme {number}") for number in range(10)), return_exceptions=True)
    assert [failure.reason for failure in told] == [Reason.STORAGE_UNAVAILABLE] * 10
    await reader.close()
    with pytest.raises(Failure) as caught:
        reader.balance("acme")
    assert caught.value.reason is Reason.SHUTTING_DOWN


async def test_an_empty_account(reader, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids)
    assert (await reader.balance("acme")).available == 0


async def test_all_lots_count_in_their_categories(reader, store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids)
    await give(store, "acme", 1, clock=clock, ids=ids, category=Category.PROMOTIONAL, expire_us=clock() + SECOND_US)
    await give(store, "acme", 2, clock=clock, ids=ids, category=Category.PLAN)
    await give(store, "acme", 4, clock=clock, ids=ids, category=Category.PAID)
    await give(store, "acme", 8, clock=clock, ids=ids, effective_us=clock() + SECOND_US)
    shown = await reader.balance("acme")
    assert (shown.available, shown.promotional, shown.plan, shown.paid, shown.frozen) == (7, 1, 2, 4, 8)
    assert (shown.next_expiry_us, shown.next_expiry_amount, shown.version) == (clock() + SECOND_US, 1, 4)
    clock.advance_s(1)
    shown = await reader.balance("acme")
    assert (shown.available, shown.promotional, shown.paid, shown.frozen) == (14, 0, 12, 0)


async def test_many_callers_few_statements(reader, store, clock, ids):
    for number in range(5):
        await open_account(store, f"acme {number}", clock=clock, ids=ids, microcredits=number + 1)
    before = store.read_counters.statements
    shown = await asyncio.gather(*(reader.balance(f"acme {number % 5}") for number in range(60)))
    assert [balance.available for balance in shown] == [number % 5 + 1 for number in range(60)]
    assert store.read_counters.statements == before + BEGIN_AND_COMMIT + 1


async def test_everyone_reads_their_own_writes(reader, writer, store, clock, ids):
    names = [f"acme {number}" for number in range(4)]
    for name in names:
        await open_account(store, name, clock=clock, ids=ids, microcredits=100)

    async def caller(name):
        for spent in range(1, 16):
            await writer.submit(deduction(name, 1, f"k{spent}"))
            shown = await reader.balance(name)
            assert (shown.available, shown.version) == (100 - spent, 1 + spent)

    await asyncio.gather(*(caller(name) for name in names))


async def test_closing_answers_all_that_waits(store, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)
    reader = BalanceReader(store, clock, batch_max=3, wait_s=0)
    asked = [reader.balance("acme") for _ in range(10)]
    await reader.close()
    assert [future.result().available for future in asked] == [5] * 10
