"""What every test may use: a fresh database on each store, a clock that stands still, ids that count."""

import gc
import os
import shutil
import sys
from contextlib import ExitStack

import pytest

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
"""Tests start programs while gRPC runs. Its handlers of fork may crash a child, and are of no use to one that becomes
another program. gRPC reads this when it is imported, so no import above may import gRPC."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
"""Images of containers often set this. Each of the hundreds of programs that tests start would then compile all that it
imports, which takes it two seconds, and each worker would rewrite every test."""

from tests.support.loopback import exempt_loopback  # noqa: E402 - after gRPC's setting

exempt_loopback()

from hypothesis import HealthCheck, settings  # noqa: E402 - same

# After gRPC's setting.
from tests.support.databases import STORES, Database, PostgresUnavailableError, migrate_now_apart, postgres_databases  # noqa: E402
from tests.support.doubles import CountingIds, FakeClock  # noqa: E402 - same
from tests.support.ledger_check import ledger_problems  # noqa: E402 - same

STORE_PROPERTY = "store"

# A busy machine makes examples slow, not wrong. The ordinary run has the same examples each time, so that a change is
# judged by itself and by no stranger's luck; the long run looks for new ones.
LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
settings.register_profile("ordinary", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not LONG)
settings.load_profile("ordinary")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "unchecked_ledger: writes what no ledger holds; the check after the test is left out"
    )


LONG_FIRST = ("upgrade", "crash", "cli", "faults", "end_to_end", "simulation", "supply_chain", "load", "security")
"""Folders with files that take long. They begin first, so that no worker is still at one when the others have ended."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    places = {folder: place for place, folder in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


def pytest_collection_finish():
    """What was imported and collected lives as long as the process: a million objects, which each full collection of
    garbage would look through again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def ids():
    return CountingIds()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite-template") / "template.db"
    migrate_now_apart(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server for this process, or the reason why there is none."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres_databases())
        except PostgresUnavailableError as reason:
            server = reason
        yield server


@pytest.fixture(params=STORES)
def store_name(request):
    """Which store this run of the test is about; parametrise it to choose one."""
    return request.param


@pytest.fixture
def database(request, store_name, tmp_path):
    """A migrated, empty database. After the test its ledger is checked, whatever the test was about."""
    request.node.user_properties.append((STORE_PROPERTY, store_name))
    if store_name == "sqlite":
        path = tmp_path / "ledger.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        made = Database("sqlite", f"sqlite:///{path}")
        yield made
        _check(request, made)
        return
    server = request.getfixturevalue("postgres")
    if isinstance(server, PostgresUnavailableError):
        pytest.skip(f"PostgreSQL is not tested: {server}")
    made = Database("postgresql", server.migrated())
    yield made
    try:
        _check(request, made)
    finally:
        server.drop(made.url)


def _check(request, database):
    if request.node.get_closest_marker("unchecked_ledger") is None:
        problems = ledger_problems(database)
        assert not problems, "the test left an inconsistent ledger: " + "; ".join(problems)


@pytest.fixture
async def store(database):
    opened = await database.open()
    yield opened
    await opened.close()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """The run's last lines: which stores were tested, on how many tests each, and why one was not."""
    counts = {name: {"passed": 0, "failed": 0, "skipped": 0} for name in STORES}
    reasons = set()
    for outcome, counted in (("passed", "passed"), ("failed", "failed"), ("error", "failed"), ("skipped", "skipped")):
        for report in terminalreporter.stats.get(outcome, ()):
            name = dict(getattr(report, "user_properties", ())).get(STORE_PROPERTY)
            if name is None:
                continue
            counts[name][counted] += 1
            if outcome == "skipped":
                reasons.add(report.longrepr[2])
    terminalreporter.section("stores tested")
    for name, count in counts.items():
        ran = count["passed"] + count["failed"]
        line = f"{name}: {ran} tests, {count['failed']} failed" if ran else f"{name}: NOT TESTED"
        terminalreporter.line(line + (f", {count['skipped']} skipped" if count["skipped"] else ""))
    for reason in sorted(reasons):
        terminalreporter.line(reason)
