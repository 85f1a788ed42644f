"""What stores count of what the database refused: by the database's own codes, on both."""

import sqlite3

import asyncpg
import pytest

from billing_service.domain.refusals import Failure, Reason
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger_statements import INSERT_ACCOUNT
from billing_service.storage.sqlite import store as sqlite_store
from billing_service.storage.store import WAITS_MAX, ConflictError
from tests.support.doubles import START_US
from tests.support.ledger_setup import lock_of_another_program


def make_acme():
    yield INSERT_ACCOUNT("acme", START_US)


async def test_waits_in_vain_are_counted_by_code_and_in_seconds(database, monkeypatch):
    monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_S", 0.05)
    store = await database.open()
    await store.write(make_acme)
    async with lock_of_another_program(database, "acme"):
        with pytest.raises(Failure) as refused:
            await store.write(lambda: lock_accounts(["acme"]))
    await store.close()
    code, each_s = ("SQLITE_BUSY", 0.05) if database.store == "sqlite" else ("55P03", 0.5)
    assert refused.value.reason is Reason.CONFLICT
    assert store.counters.conflict_causes == {code: WAITS_MAX}
    assert WAITS_MAX * each_s * 0.9 < store.counters.conflict_s < WAITS_MAX * each_s * 3
    assert store.counters.failures == {}


async def test_what_the_database_could_not_do_is_counted_by_code(store, database):
    def too_long():
        yield INSERT_ACCOUNT("acme", START_US)
        raise asyncpg.QueryCanceledError if database.store == "postgresql" else _full()

    with pytest.raises(Failure):
        await store.write(too_long)
    assert store.counters.failures == ({"57014": 1} if database.store == "postgresql" else {"SQLITE_FULL": 1})


def _full():
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error


async def test_a_run_that_the_unit_itself_asked_for_is_counted_in_its_words(store):
    runs = []

    def work():
        yield INSERT_ACCOUNT("acme", START_US)
        runs.append(None)
        if len(runs) < 3:
            raise ConflictError("another writer")

    await store.write(work)
    assert store.counters.conflict_causes == {"another writer": 2}
