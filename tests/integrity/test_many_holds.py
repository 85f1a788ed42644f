"""An account of very many holds is verified in time that grows with their number, not with its square: whoever
verifies answers no call meanwhile."""

import time
from types import SimpleNamespace

import pytest

from billing_service.domain.ledger.entries import Entry, TransactionKind, held_place
from billing_service.integrity.holds_check import HoldsCheck

HOLDS = 100_000
WITHIN_S = 30
"""The work takes a second; with each hold looked for among all of them it would take hours."""


@pytest.mark.timeout(120)
def test_a_hundred_thousand_holds_are_compared_at_once():
    check = HoldsCheck()
    for number in range(HOLDS):
        entries = [Entry("lot", held_place("lot"), 1)]
        check.follow(SimpleNamespace(kind=TransactionKind.HOLD, source_id=f"hold{number}", entries=entries))
    stored = SimpleNamespace(lots={}, holds={}, sessions={}, held=0, holds_open=0, holds_end_us=None)
    begun_s, found = time.monotonic(), 0
    for subject, expected, is_stored in check.compared(stored, {}):
        if subject.startswith("hold "):
            found += 1
            assert (expected, is_stored) == ({"lot": (1, 0, 0)}, {})
            assert time.monotonic() - begun_s < WITHIN_S
    assert found == HOLDS
