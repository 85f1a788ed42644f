"""Every operation runs as a role that has the rights of docs/database.md, and no others."""

import os

import pytest

from tests.faults.fault_runs import FaultRuns, Tally
from tests.faults.fault_sales import ALL_OPERATIONS
from tests.support.databases import Database
from tests.support.serving_role import serving_role

pytestmark = pytest.mark.usefixtures("immediate_reruns")


@pytest.fixture(params=["postgresql"])
def store_name(request):
    return request.param


class Served(Database):
    """Opened as the serving role; looked at as its owner."""

    async def open(self):
        with_role = Database(self.store, self.serving_url)
        return await with_role.open()


@pytest.mark.parametrize("name", ALL_OPERATIONS)
async def test_an_operation_needs_no_other_right(fault_database, name):
    with serving_role(fault_database.url, f"serving_{os.getpid()}") as url:
        served = Served(fault_database.store, fault_database.url)
        object.__setattr__(served, "serving_url", url)
        tally = Tally()
        await FaultRuns(served, ALL_OPERATIONS[name], tally).everything(lambda *_: False)
    assert tally.points["database"]
