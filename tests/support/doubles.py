"""Time, ids and a deployment that tests decide."""

from collections import Counter

from billing_service.domain.deployment import MARK_KEY_BYTES, Deployment, Mode
from billing_service.domain.ledger.chain import SALT_BYTES

START_US = 1_800_000_000_000_000
"""When every test begins: 2027-01-15 08:00 UTC."""
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
DEPLOYMENT = Deployment("dep_of_tests", bytes(range(MARK_KEY_BYTES)), Mode.SANDBOX, START_US)


class FakeClock:
    """Stands still until it is told to move, in either direction."""

    def __init__(self, now_us=START_US):
        self.now_us = now_us

    def __call__(self):
        return self.now_us

    def advance_s(self, seconds):
        self.now_us += int(seconds * SECOND_US)


class FakeMonotonic:
    """Seconds, as of `time.monotonic`, that stand still until they are told to move."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class CountingIds:
    """Ids in order, each prefix from 1."""

    def __init__(self):
        self._counts = Counter()
        self._salts = 0

    def salt(self):
        self._salts += 1
        return self._salts.to_bytes(SALT_BYTES, "big")

    def __call__(self, prefix):
        self._counts[prefix] += 1
        return f"{prefix}_{self._counts[prefix]:032x}"
