"""What is PostgreSQL's own: several processes, locks and time limits, settings that durability rests on."""

import asyncio
import os
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from billing_service.domain.refusals import Failure, Reason
from billing_service.domain.spending.deductions import DeductionMode, deduct
from billing_service.storage.database_url import parse_database_url
from billing_service.storage.postgres import session as postgres_session
from billing_service.storage.postgres import store as postgres_store
from billing_service.storage.postgres.connect import CannotConnectError
from billing_service.storage.postgres.store import open_postgres
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger import write_accounts
from billing_service.storage.statements import reading, searching, writing
from tests.storage.raw_units import outside, read_unit, write_unit
from tests.support.databases import URL_VARIABLE, connect_to
from tests.support.ledger_setup import open_account


@pytest.fixture(params=["postgresql"])
def store_name(request):
    return request.param


class ScriptedConnection:
    """Answers with settings as a server would."""

    def __init__(self, **settings):
        self._settings = settings

    async def fetch(self, _sql, names):
        in_force = dict.fromkeys(names, "on") | postgres_session.LIMITS | self._settings
        return [{"name": name, "setting": in_force[name]} for name in names]


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_unsafe_settings_are_refused(setting):
    with pytest.raises(CannotConnectError, match=f"{setting}=off"):
        await postgres_session.confirm(ScriptedConnection(**{setting: "off"}))


@pytest.mark.parametrize("level", ["on", "local", "remote_write", "remote_apply"])
async def test_every_durable_commit_level_is_accepted(level):
    await postgres_session.confirm(ScriptedConnection(synchronous_commit=level))


@pytest.mark.skipif(
    URL_VARIABLE in os.environ, reason="changes settings of the whole server, so only of one that these tests started"
)
@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_an_unsafe_server_is_refused(postgres, database, setting):
    async def configure(value):
        connection = await connect_to(postgres.admin_url)
        try:
            await connection.execute(f"ALTER SYSTEM SET {setting} = {value}")
            await connection.execute("SELECT pg_reload_conf()")
            while (now := await connection.fetchval(f"SHOW {setting}")) != value:
                assert now in ("on", "off")
        finally:
            await connection.close()

    try:
        await configure("off")
        with pytest.raises(CannotConnectError, match=f"{setting}=off"):
            await open_postgres(database.target)
    finally:
        await configure("on")


async def test_sessions_are_bounded_and_durable(database):
    outside(database, f"ALTER DATABASE {urlsplit(database.url).path[1:]} SET synchronous_commit = off")
    opened = await database.open()
    try:
        for name, value in postgres_session.LIMITS.items():
            setting = (await opened.read(read_unit(f"SELECT setting FROM pg_settings WHERE name = '{name}'")))[0][0]
            assert setting == value
    finally:
        await opened.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://nobody@127.0.0.1:1/nothing", "can't be reached: 127.0.0.1:1: Connection refused"),
        (
            "postgresql:///nothing?host=/nonexistent",
            "can't be reached: /nonexistent/.s.PGSQL.5432: No such file or directory",
        ),
        ("{}_not_there", r'can\'t be used: .*: database ".*_not_there" does not exist'),
    ],
)
async def test_what_cannot_be_reached_is_said_at_once(database, url, words):
    target = urlsplit(database.url)
    with pytest.raises(CannotConnectError, match=words):
        await open_postgres(
            parse_database_url(target._replace(path=url.format(target.path)).geturl() if "{}" in url else url)
        )


def spend_one(clock, ids):
    def work():
        account = (yield from lock_accounts(["acme"]))["acme"]
        deduct(account, 1, DeductionMode.REJECT, now_us=clock(), ids=ids)
        yield from write_accounts([account])

    return work


async def test_two_services_on_one_account(store, database, clock, ids):
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=30)
    other = await database.open()
    try:
        units = (service.write(spend_one(clock, ids)) for _ in range(25) for service in (store, other))
        results = await asyncio.gather(*units, return_exceptions=True)
    finally:
        await other.close()
    assert results.count(None) == 30
    assert {error.reason for error in results if error is not None} == {Reason.INSUFFICIENT_CREDITS}


async def test_a_lock_that_is_never_granted_is_a_conflict(database, clock, ids, monkeypatch):
    monkeypatch.setitem(postgres_session.LIMITS, "lock_timeout", "5")
    store = await database.open()
    holder = await connect_to(database.url)
    try:
        await open_account(store, "acme", clock=clock, ids=ids, microcredits=1)
        async with holder.transaction():
            await holder.execute("SELECT * FROM accounts FOR UPDATE")
            with pytest.raises(Failure) as caught:
                await store.write(spend_one(clock, ids))
        await store.write(spend_one(clock, ids))
    finally:
        await holder.close()
        await store.close()
    assert caught.value.reason is Reason.CONFLICT


async def test_a_statement_that_takes_too_long_is_a_failure(database, monkeypatch):
    monkeypatch.setitem(postgres_session.LIMITS, "statement_timeout", "200")
    store = await database.open()
    try:
        with pytest.raises(Failure) as caught:
            await store.write(write_unit("DELETE FROM accounts", "SELECT pg_sleep(5)"))
        assert await store.write(write_unit("SELECT 1")) == [1]
    finally:
        await store.close()
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


async def test_a_search_takes_the_time_that_it_takes(database, monkeypatch):
    monkeypatch.setitem(postgres_session.LIMITS, "statement_timeout", "200")
    monkeypatch.setattr(postgres_store, "COMMAND_TIMEOUT_S", 0.3)
    store = await open_postgres(database.target)
    slow = text("SELECT current_setting('enable_seqscan'), current_setting('enable_hashjoin') FROM pg_sleep(0.5)")

    def work(statement):
        return (yield statement())

    found = await store.read(lambda: work(searching("search", slow)))
    assert [tuple(row) for row in found] == [("on", "on")]
    with pytest.raises(Failure):
        await store.read(lambda: work(reading("read", slow)))
    assert await store.read(read_unit("SHOW enable_seqscan")) == [("off",)]
    await store.close()


async def test_a_deadlock_is_run_again(store, database):
    """Units that lock in opposite orders, which the ledger never does: one is thrown out by the server, and run
    again."""
    first, second = (
        reading("lock", text(f"SELECT 1 FROM referral_codes WHERE referral_code = '{code}' FOR UPDATE"))
        for code in ("one", "two")
    )
    insert = "INSERT INTO referral_codes (referral_code, account_id) VALUES ('{}', 'acme')"
    await store.write(write_unit(insert.format("one"), insert.format("two")))
    outside(database, f"ALTER DATABASE {urlsplit(database.url).path[1:]} SET deadlock_timeout = '10ms'")
    impatient = await database.open()
    lengthen = writing("lengthen", text("UPDATE referral_codes SET account_id = account_id || 'x'"))
    met = reading(
        "met",
        text(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE relation = 'referral_codes'::regclass AND mode = "
            "'RowShareLock'"
        ),
    )
    nap = reading("nap", text("SELECT pg_sleep(0.05)"))
    runs = []

    def unit(*order):
        def work():
            runs.append(None)
            yield order[0]()
            while len(runs) <= 2 and (yield met())[0][0] < 2:
                pass
            yield nap()
            yield order[1]()
            yield lengthen()

        return work

    try:
        await asyncio.gather(impatient.write(unit(first, second)), impatient.write(unit(second, first)))
    finally:
        await impatient.close()
    assert impatient.counters.conflicts >= 1
    assert outside(database, "SELECT DISTINCT account_id FROM referral_codes") == [("acmexx",)]


async def test_a_value_that_fits_no_column_is_a_defect(store):
    """Not a failure: clients try failures again."""
    statement = writing("odd", text("UPDATE accounts SET balance = CAST(:balance AS bigint)"), "balance")

    def work():
        yield statement(2**63)

    with pytest.raises(asyncpg.DataError, match="out of int64 range"):
        await store.write(work)


async def test_a_goodbye_that_comes_before_the_end_of_its_connection(store):
    """The server's last word is read in one turn of the loop, the end of the connection in a later one; whoever comes
    in between…"""
    words = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
    pool = store._pool._pool
    holders = [await pool.acquire() for _ in range(pool.get_size())]
    for connection in holders:
        connection._protocol.data_received(b"E" + (len(words) + 4).to_bytes(4, "big") + words)
        await pool.release(connection)
    with pytest.raises(Failure) as caught:
        await store.write(read_unit("SELECT 1"))
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert isinstance(caught.value.__cause__, asyncpg.InternalClientError)
