"""A database in memory for each operation, and the counts of all runs in the last lines."""

import shutil
from pathlib import Path

import pytest
import structlog

from billing_service.storage import store
from billing_service.storage.sqlite import store as sqlite_store
from tests.support.databases import Database, PostgresUnavailableError

STORE_PROPERTY = "store"
TALLY_PROPERTY = "fault_runs"


@pytest.fixture
def immediate_reruns(monkeypatch):
    """Units that conflict are run again without a pause, and without a traceback in the log for each of thousands of
    faults."""
    monkeypatch.setattr(store, "BACKOFF_S", 0.0)
    monkeypatch.setattr(sqlite_store, "BUSY_TIMEOUT_S", 0.0)
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def fault_database(request, store_name, tmp_path, sqlite_template):
    """A migrated, empty database; SQLite's where syncing costs nothing, because thousands of runs sync."""
    request.node.user_properties.append((STORE_PROPERTY, store_name))
    if store_name == "sqlite":
        memory = Path("/dev/shm") / f"faults-{tmp_path.name}-{id(request)}"
        folder = memory if memory.parent.is_dir() else tmp_path / "faults"
        folder.mkdir()
        try:
            path = folder / "ledger.db"
            shutil.copyfile(sqlite_template, path)
            yield Database("sqlite", f"sqlite:///{path}")
        finally:
            shutil.rmtree(folder)
        return
    server = request.getfixturevalue("postgres")
    if isinstance(server, PostgresUnavailableError):
        pytest.skip(f"PostgreSQL is not tested: {server}")
    made = Database("postgresql", server.migrated())
    yield made
    server.drop(made.url)


def pytest_terminal_summary(terminalreporter):
    """How many runs there were, where this folder is asked for by itself."""
    reports = [
        report for found in terminalreporter.stats.values() for report in found if getattr(report, "when", "") == "call"
    ]
    tallies = [
        value for report in reports for name, value in getattr(report, "user_properties", ()) if name == TALLY_PROPERTY
    ]
    if tallies:
        runs, fired = (sum(numbers) for numbers in zip(*tallies, strict=True))
        terminalreporter.line(f"faults: {len(tallies)} operations on stores, {runs} runs, {fired} struck by a fault")
