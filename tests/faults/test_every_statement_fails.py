"""T-FAULT: each statement of each operation, and each call to Stripe, fails in turn, in every way; the same key then has one effect."""

import pytest
from fault_operations import OPERATIONS
from fault_runs import FaultRuns, Tally

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("immediate_reruns")]


@pytest.mark.parametrize("name", OPERATIONS)
async def test_whatever_fails_an_operation_has_its_effect_once(fault_database, name, record_property):
    tally = Tally()
    await FaultRuns(fault_database, OPERATIONS[name], tally).everything(lambda mode, number: True)
    record_property("faults", tally)
    print(tally)
