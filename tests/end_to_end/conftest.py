"""The whole product over real sockets, once per store for all tests here; each test uses accounts of its own."""

import itertools
import logging
import shutil

import pytest
import pytest_asyncio
import structlog

from tests.support.databases import STORES, Database, PostgresUnavailableError
from tests.support.ledger_check import ledger_problems
from tests.support.stack import running_stack
from tests.support.wire import Wire

STORE_PROPERTY = "store"
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=STORES)
async def shared(request, tmp_path_factory):
    """(store's name, database, running stack), for tests that need no settings of their own."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("end-to-end") / "billing.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        database = Database("sqlite", f"sqlite:///{path}")
    else:
        server = request.getfixturevalue("postgres")
        if isinstance(server, PostgresUnavailableError):
            pytest.skip(f"PostgreSQL is not tested: {server}")
        database = Database("postgresql", server.migrated())
    async with running_stack(database.url, BILLING_LOG_LEVEL="ERROR") as stack:
        yield request.param, database, stack
        report = await stack.client.verify_ledger()
        assert not report.differences, report.differences
    problems = ledger_problems(database)
    assert not problems, problems
    if database.store == "postgresql":
        server.drop(database.url)


@pytest.fixture(autouse=True)
def _only_warnings():
    """Thousands of calls and deliveries would each write lines that nobody reads."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.configure(**before)


@pytest.fixture
def stack(request, shared):
    """The running product."""
    request.node.user_properties.append((STORE_PROPERTY, shared[0]))
    return shared[2]


@pytest.fixture
def stored(shared):
    """The database behind `stack`."""
    return shared[1]


@pytest_asyncio.fixture(loop_scope="session")
async def wire(stack):
    """Calls without retries and without the client's own checks."""
    async with Wire(stack.service.address) as raw:
        yield raw


@pytest.fixture
def new_account():
    """Makes account ids that no other test uses."""
    return lambda name="acct": f"{name}-{next(_numbers)}"
