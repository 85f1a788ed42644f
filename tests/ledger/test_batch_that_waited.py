"""A batch that had to wait for a lock decides on what was committed while it waited, never on what it saw before."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from billing_service.domain.refusals import Reason, Refusal
from billing_service.ledger import writer as writer_module
from billing_service.ledger.keys import Answer
from tests.support.databases import connect_to
from tests.support.ledger_setup import deduction, open_account
from tests.support.patience import PATIENCE_S

NEW_VERSION = "UPDATE accounts SET version = version + 1"
SPEND_ALL = ("UPDATE lots SET remaining = 0, is_open = 0", f"{NEW_VERSION}, balance = 0")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
SPEND_KEY = "INSERT INTO idempotency_keys SELECT 'acme', 'k', $1::text, $2::bytea, $3::bytea, '', 1"

pytestmark = pytest.mark.unchecked_ledger


@pytest.fixture(params=["postgresql"])
def store_name(request):
    """SQLite has one writer: nothing is committed while a batch runs."""
    return request.param


@pytest.fixture(autouse=True, params=[0, writer_module.OPTIMISTIC_ATTEMPTS_MAX], ids=["locked", "glanced at"])
def glances_max(request, monkeypatch):
    """Both ways that a batch may go."""
    monkeypatch.setattr(writer_module, "OPTIMISTIC_ATTEMPTS_MAX", request.param)


@asynccontextmanager
async def meanwhile(database):
    """Another process's transaction that has the account's lock, and commits at the end."""
    connection = await connect_to(database.url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM accounts WHERE account_id = 'acme' FOR UPDATE")
            yield connection
    finally:
        await connection.close()


async def begin_waiting(database, answer):
    connection = await connect_to(database.url)
    try:
        while not await connection.fetchval(WAITING):
            assert not answer.done()
    finally:
        await connection.close()


async def test_credits_that_were_spent_meanwhile_are_gone(writer, store, database, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)
    async with meanwhile(database) as other:
        answer = writer.submit(deduction("acme", 5, "k"))
        await begin_waiting(database, answer)
        for statement in SPEND_ALL:
            await other.execute(statement)
    with pytest.raises(Refusal) as refused:
        await asyncio.wait_for(answer, PATIENCE_S)
    assert refused.value.reason is Reason.INSUFFICIENT_CREDITS


async def test_a_key_that_was_spent_meanwhile_answers(writer, store, database, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=5)
    operation = deduction("acme", 5, "k")
    async with meanwhile(database) as other:
        answer = writer.submit(operation)
        await begin_waiting(database, answer)
        await other.execute(SPEND_KEY, operation.key.scope, operation.key.fingerprint, b"the first reply")
        await other.execute(NEW_VERSION)
    assert await asyncio.wait_for(answer, PATIENCE_S) == Answer(b"the first reply", replayed=True)
