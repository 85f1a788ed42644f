import os
import sys

import pytest

from tests.support.client_journal import Journal
from tests.support.service_process import running_forker, service_settings


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
