"""T-FAULT: each statement of each operation, and each call to Stripe, fails in turn, in every way; the same key then
has one effect.

`BILLING_LONG_TESTS=1` strikes every point in every mode, and ends each mode with a run that passes untouched.
Otherwise each mode strikes every eighth point, each operation beginning at another one, and every COMMIT and every call
to Stripe. Then a run passes untouched after all of them.
"""

import os
from zlib import crc32

import pytest

from tests.faults.fault_runs import FaultRuns, Tally
from tests.faults.fault_sales import ALL_OPERATIONS
from tests.support.fault_points import PROVIDER

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
SLICES = 1 if LONG else 8

pytestmark = [pytest.mark.timeout(600 if LONG else 120), pytest.mark.usefixtures("immediate_reruns")]


@pytest.mark.parametrize("name", ALL_OPERATIONS)
async def test_whatever_fails_an_operation_has_its_effect_once(fault_database, name, record_property):
    tally = Tally()

    def chosen(mode, number, point):
        return (
            point == "COMMIT"
            or mode.domain == PROVIDER
            or (number + crc32(f"{name} {mode.name}".encode())) % SLICES == 0
        )

    await FaultRuns(fault_database, ALL_OPERATIONS[name], tally, untouched_each=LONG).everything(chosen)
    record_property("fault_runs", [tally.runs, tally.fired])
    print(f"{fault_database.store}, {name}: {tally}")  # noqa: T201 - the figures are part of the proof
