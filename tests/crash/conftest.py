import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""Tests start programs while gRPC runs; its handlers of fork, of no use to a child that becomes another program, may crash it."""

sys.path.insert(0, str(Path(__file__).parent))

from client_journal import Journal  # noqa: E402 - found by the path above
from service_process import running_forker, service_settings  # noqa: E402 - same


@pytest.fixture
def seed():
    """Of this run; a failure is run again with BILLING_TEST_SEED."""
    chosen = int(os.environ.get("BILLING_TEST_SEED") or int.from_bytes(os.urandom(4)))
    sys.stdout.write(f"BILLING_TEST_SEED={chosen}\n")
    return chosen


@pytest.fixture
def journal(tmp_path):
    kept = Journal(tmp_path / "journal.txt")
    yield kept
    kept.close()


@pytest.fixture(scope="session")
def forker():
    with running_forker() as started:
        yield started


@pytest.fixture
def settings(database):
    """Of a service on the test's database."""
    return service_settings(database)
