"""A role that lacks a right does not serve: it is refused at the start, by table and right, and health follows what is
taken away."""

import re
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.exc import ProgrammingError

from billing_service.domain.refusals import Failure, Reason
from billing_service.domain.spending.deductions import DeductionMode, deduct
from billing_service.integrity.verify import verify_ledger
from billing_service.storage.database_url import parse_database_url
from billing_service.storage.migrate import check_schema, migrate
from billing_service.storage.postgres.connect import CannotConnectError
from billing_service.storage.postgres.rights import SERVING
from billing_service.storage.postgres.store import open_postgres
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.ledger import write_accounts
from tests.storage.raw_units import read_unit
from tests.support.databases import connect_to
from tests.support.ledger_setup import open_account
from tests.support.postgres_programs import PASSWORD
from tests.support.serving_role import documented_statements

RIGHTS = [(table, right) for table, rights in SERVING.items() for right in rights]


class Shared:
    """A migrated database on a server of the test's own, with the roles of docs/database.md."""

    def __init__(self, server):
        self._server = server
        before, after = documented_statements()[:4], documented_statements()[4:]
        assert all("SCHEMA" in text or "ROLE" in text for text in before)
        server.do("CREATE DATABASE shared", "SELECT 1")
        server.do(
            *before,
            f"ALTER ROLE billing_owner PASSWORD '{PASSWORD}'",
            f"ALTER ROLE billing PASSWORD '{PASSWORD}'",
            "SELECT 1",
            database="shared",
        )
        self.owner, self.serving = (parse_database_url(self.url(role)) for role in ("billing_owner", "billing"))
        self._after = after

    def url(self, role):
        return self._server.url(role, database="shared")

    def as_owner(self, *statements):
        return self._server.do(*statements, "SELECT 1", url=self.url("billing_owner"))

    def grant(self):
        self.as_owner(*self._after)

    def drop(self):
        self._server.do("DROP DATABASE shared WITH (FORCE)", "DROP ROLE billing_owner", "DROP ROLE billing", "SELECT 1")

    def as_superuser(self, *statements):
        self._server.do(*statements, "SELECT 1", database="shared")


@asynccontextmanager
async def owner_of(shared):
    """A connection that takes rights and gives them: one for all of them, where each is tried."""
    connection = await connect_to(shared.url("billing_owner"))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def without(owner, table, right):
    await owner.execute(f"REVOKE {right} ON {table} FROM billing")
    yield f"the role billing lacks {right} on {table}; docs/database.md has the GRANTs"
    await owner.execute(f"GRANT {right} ON {table} TO billing")


@pytest.fixture
async def shared(own_postgres):
    made = Shared(own_postgres)
    try:
        await migrate(made.owner)
        made.grant()
        yield made
    finally:
        made.drop()


def spend_one(clock, ids):
    def work():
        account = (yield from lock_accounts(["acme"]))["acme"]
        deduct(account, 1, DeductionMode.REJECT, now_us=clock(), ids=ids)
        yield from write_accounts([account])

    return work


async def test_the_readmes_roles_migrate_and_serve(shared, clock, ids):
    await check_schema(shared.serving)
    store = await open_postgres(shared.serving)
    try:
        await store.probe()
        await open_account(store, "acme", clock=clock, ids=ids, microcredits=3)
        await store.write(spend_one(clock, ids))
    finally:
        await store.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="must be owner of table accounts"):
        shared.as_superuser("SET ROLE billing", "ALTER TABLE accounts ADD COLUMN x TEXT")


async def test_each_right_that_is_missing_is_named_at_the_start(shared):
    async with owner_of(shared) as owner:
        for table, right in RIGHTS:
            async with without(owner, table, right) as lacks:
                with pytest.raises(CannotConnectError) as caught:
                    await open_postgres(shared.serving)
                assert str(caught.value) == f"the database can't be used: {lacks}"
    await (await open_postgres(shared.serving)).close()


async def test_all_that_is_missing_is_named_at_once(shared):
    shared.as_owner("REVOKE ALL ON lots FROM billing", "REVOKE INSERT, UPDATE ON accounts FROM billing")
    with pytest.raises(
        CannotConnectError,
        match=r"lacks INSERT, UPDATE on accounts; SELECT, INSERT, UPDATE on lots; "
        r"docs/database\.md",
    ):
        await open_postgres(shared.serving)


async def test_a_schema_that_is_not_seen(shared):
    shared.as_superuser("REVOKE USAGE ON SCHEMA public FROM billing, PUBLIC")
    with pytest.raises(CannotConnectError) as caught:
        await open_postgres(shared.serving)
    assert "the role billing can't see accounts, alembic_version, api_keys, " in str(caught.value)
    assert f"{max(SERVING)}: USAGE of the schema or a search_path is missing; docs/database.md has the GRANTs" in str(
        caught.value
    )


async def test_to_verify_takes_no_more_than_reading(shared, clock, ids):
    store = await open_postgres(shared.serving)
    await open_account(store, "acme", clock=clock, ids=ids, microcredits=3)
    await store.close()
    shared.as_owner(
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM billing",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO billing",
    )
    store = await open_postgres(shared.serving, writes=False)
    try:
        found = await verify_ledger(store)
        assert (found.accounts, found.differences) == (1, [])
    finally:
        await store.close()
    with pytest.raises(CannotConnectError, match=r"lacks INSERT, UPDATE on accounts; "):
        await open_postgres(shared.serving)
    shared.as_owner("REVOKE SELECT ON entries FROM billing")
    with pytest.raises(CannotConnectError, match=r"the role billing lacks SELECT on entries; docs/database\.md"):
        await open_postgres(shared.serving, writes=False)


async def test_rights_that_are_taken_away_are_seen_by_the_probe(shared):
    store = await open_postgres(shared.serving)
    try:
        async with owner_of(shared) as owner:
            for table, right in RIGHTS:
                await store.probe()
                async with without(owner, table, right) as lacks:
                    with pytest.raises(Failure, match=re.escape(lacks)):
                        await store.probe()
        await store.probe()
    finally:
        await store.close()


async def test_a_write_without_its_right_is_a_failure_and_not_a_defect(shared, clock, ids):
    store = await open_postgres(shared.serving)
    try:
        await open_account(store, "acme", clock=clock, ids=ids, microcredits=3)
        shared.as_owner("REVOKE INSERT ON entries FROM billing")
        with pytest.raises(Failure) as caught:
            await store.write(spend_one(clock, ids))
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
        assert await store.read(read_unit("SELECT count(*) FROM transactions")) == [(1,)]
        shared.as_owner("GRANT INSERT ON entries TO billing")
        await store.write(spend_one(clock, ids))
    finally:
        await store.close()


async def test_a_role_that_may_not_make_tables_cannot_migrate(own_postgres):
    own_postgres.do("CREATE ROLE poor LOGIN PASSWORD 'canary4242'", "CREATE DATABASE guarded", "SELECT 1")
    own_postgres.do("REVOKE CREATE ON SCHEMA public FROM PUBLIC", "SELECT 1", database="guarded")
    try:
        with pytest.raises(ProgrammingError, match="permission denied for schema public"):
            await migrate(parse_database_url(own_postgres.url("poor", database="guarded")))
    finally:
        own_postgres.do("DROP DATABASE guarded WITH (FORCE)", "DROP ROLE poor", "SELECT 1")
