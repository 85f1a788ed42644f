import os
import sys

import pytest


@pytest.fixture
def seed():
    """Of this run; a failure is run again with BILLING_TEST_SEED."""
    chosen = int(os.environ.get("BILLING_TEST_SEED") or int.from_bytes(os.urandom(4)))
    sys.stdout.write(f"seed={chosen}; again: BILLING_TEST_SEED={chosen} pytest tests/history\n")
    return chosen
