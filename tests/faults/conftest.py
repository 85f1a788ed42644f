"""A database in memory for each operation, and the counts of all runs in the last lines."""

import shutil
from pathlib import Path

import pytest
from databases import Database, PostgresUnavailableError

from billing_service.storage import store

STORE_PROPERTY = "store"
TALLY_PROPERTY = "faults"


@pytest.fixture
def immediate_reruns(monkeypatch):
    """Units that conflict are run again without a pause."""
    monkeypatch.setattr(store, "BACKOFF_S", 0.0)


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
