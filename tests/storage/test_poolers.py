"""Behind pgbouncer: sessions serve the ledger as it comes; a pooler that lends them for a transaction is known at the
start, and refused."""

import asyncio
import re
from contextlib import ExitStack

import pytest

from billing_service.domain.refusals import Failure
from billing_service.domain.spending.deductions import DeductionMode, deduct
from billing_service.storage.database_url import parse_database_url
from billing_service.storage.migrate import check_schema, migrate
from billing_service.storage.postgres import session as postgres_session
from billing_service.storage.postgres.connect import CannotConnectError, connect
from billing_service.storage.postgres.session import LIMITS, PLANNING, confirm, set_limits
from billing_service.storage.postgres.store import open_postgres
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger import write_accounts
from tests.storage.raw_units import read_unit
from tests.support.ledger_setup import open_account
from tests.support.postgres_programs import PASSWORD, pgbouncer, started

TRANSACTIONS = "a pooler hands each transaction to another session (pool_mode=transaction): the ledger needs sessions"


@pytest.fixture
def pooled_database(own_postgres):
    """A database on the server; its URL through a pooler's port."""
    own_postgres.do("CREATE DATABASE pooled", "SELECT 1")
    yield lambda port, **options: parse_database_url(own_postgres.url(port=port, database="pooled", **options))
    own_postgres.do("DROP DATABASE pooled WITH (FORCE)", "SELECT 1")


def spend_one(clock, ids):
    def work():
        account = (yield from lock_accounts(["acme"]))["acme"]
        deduct(account, 1, DeductionMode.REJECT, now_us=clock(), ids=ids)
        yield from write_accounts([account])

    return work


async def test_sessions_serve_the_ledger(pooled, pooled_database, own_postgres, clock, ids):
    """Migrated, opened and spent from through the pooler, by two processes' stores; the limits are in force in every
    session."""
    database = pooled_database(pooled("session"))
    await migrate(database)
    await check_schema(database)
    stores = [await open_postgres(database) for _ in range(2)]
    try:
        await open_account(stores[0], "acme", clock=clock, ids=ids, microcredits=30)
        spent = (store.write(spend_one(clock, ids)) for _ in range(20) for store in stores)
        results = await asyncio.gather(*spent, return_exceptions=True)
        assert results.count(None) == 30
        for store in stores:
            await store.probe()
            for name, value in (LIMITS | PLANNING).items():
                assert await store.read(read_unit(f"SELECT setting FROM pg_settings WHERE name = '{name}'")) == [
                    (value,)
                ]
    finally:
        for store in stores:
            await store.close()
    assert own_postgres.do("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", database="pooled") == [(0,)]


async def test_a_session_that_is_lent_again_brings_no_limits_along(pooled, pooled_database):
    port = pooled("session", default_pool_size=2, min_pool_size=0)
    database = pooled_database(port)
    await migrate(database)
    await (await open_postgres(database)).close()
    connection = await connect(database)
    try:
        assert await connection.fetchval("SHOW lock_timeout") == "0"
    finally:
        await connection.close()


LENDING = [(0, {}), (1, {}), (2, {}), (3, {}), (0, {"default_pool_size": 1})]
LENDING += [(others, {"server_round_robin": 1}) for others in range(4)]


@pytest.mark.parametrize(("others", "options"), LENDING)
async def test_a_pooler_of_transactions_is_refused(pooled, pooled_database, others, options):
    """Whichever session it hands out next, the one that was given back last or first, and however many lie idle."""
    database = pooled_database(pooled("transaction", **options))
    idle = [await connect(database, statement_cache_size=0) for _ in range(others)]
    for connection in idle:
        await connection.execute("BEGIN")
    for connection in idle:
        await connection.execute("COMMIT")
    for start in (migrate, check_schema):
        with pytest.raises(CannotConnectError, match=re.escape(TRANSACTIONS)):
            await start(database)
    for connection in idle:
        await connection.close()


async def test_what_was_refused_left_nothing_in_the_poolers_sessions(pooled, pooled_database, own_postgres):
    """No limits, no lock, no tables: they would belong to another program."""
    port = pooled("transaction")
    with pytest.raises(CannotConnectError):
        await migrate(pooled_database(port))
    connection = await connect(pooled_database(port), statement_cache_size=0)
    try:
        assert await connection.fetchval("SHOW lock_timeout") == "0"
    finally:
        await connection.close()
    assert own_postgres.do("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", database="pooled") == [(0,)]
    assert own_postgres.do("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database="pooled") == [(0,)]


REFUSED = [
    ({"pool_mode": "statement"}, {}, "transaction blocks not allowed in statement pooling mode"),
    ({"pool_mode": "session"}, {"options": "-c search_path=billing"}, "unsupported startup parameter: options"),
    ({"pool_mode": "session"}, {"sslmode": "require"}, "it refused TLS"),
    ({"pool_mode": "session", "max_client_conn": 0}, {}, "no more connections allowed (max_client_conn)"),
]


@pytest.mark.parametrize(("configured", "options", "words"), REFUSED)
async def test_a_poolers_own_words(pooled, pooled_database, configured, options, words):
    with pytest.raises(CannotConnectError) as caught:
        await migrate(pooled_database(pooled(**configured), **options))
    assert words in str(caught.value)
    assert PASSWORD not in str(caught.value)


async def test_words_on_passwords_and_databases(pooled, own_postgres):
    port = pooled("session")
    for url, words in (
        (own_postgres.url(port=port, password="wrong"), "password authentication failed"),
        (own_postgres.url("nobody", port=port), "password authentication failed"),
        (own_postgres.url(port=port, database="not_there"), 'database "not_there" does not exist'),
    ):
        with pytest.raises(CannotConnectError) as caught:
            await check_schema(parse_database_url(url))
        assert words in str(caught.value)


async def test_a_pooler_with_too_few_sessions_is_refused(pooled, pooled_database, monkeypatch):
    monkeypatch.setattr("billing_service.storage.migrate.COMMAND_TIMEOUT_S", 0.5)
    with pytest.raises(CannotConnectError, match="a pooler gave no second session within"):
        await migrate(pooled_database(pooled("session", default_pool_size=1)))


async def test_a_pooler_that_goes_away_is_a_failure(own_postgres, pooled_database):
    with ExitStack() as stack:
        database = pooled_database(started(stack, pgbouncer(own_postgres, "session")))
        await migrate(database)
        store = await open_postgres(database)
    with pytest.raises(Failure):
        await store.probe()
    await store.close()


class Forgetful:
    """A pooler that lets SET pass, and forgets it: what RESET would do between two statements."""

    def __init__(self, connection, *forgotten):
        self._connection = connection
        self._forgotten = forgotten

    async def fetch(self, sql, *arguments):
        for name in self._forgotten:
            await self._connection.execute(f"RESET {name}")
        return await self._connection.fetch(sql, *arguments)


@pytest.mark.parametrize("forgotten", [name for name in LIMITS if name != "synchronous_commit"])
async def test_a_limit_that_is_not_in_force_is_refused(own_postgres, forgotten):
    own_postgres.do("ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'", "SELECT 1")
    connection = await connect(parse_database_url(own_postgres.url()))
    try:
        await set_limits(connection)
        await confirm(connection)
        with pytest.raises(
            CannotConnectError,
            match=f"what was set is not in force, .*: {forgotten}=.* in place of {LIMITS[forgotten]}$",
        ):
            await confirm(Forgetful(connection, forgotten))
    finally:
        await connection.close()
        own_postgres.do("ALTER DATABASE postgres RESET default_transaction_isolation", "SELECT 1")


async def test_a_database_that_knows_not_every_wish_is_opened(own_postgres, monkeypatch):
    monkeypatch.setitem(postgres_session.PLANNING, "no_such_setting", "off")
    connection = await connect(parse_database_url(own_postgres.url()))
    try:
        await set_limits(connection)
        assert await connection.fetchval("SHOW jit") == "off"
    finally:
        await connection.close()
