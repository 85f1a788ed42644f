"""Agents on one account that is nearly empty all the time. `make long-run` has a thousand, and a million calls."""

import grpc
import pytest

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.load.long_run import judge, spend
from tests.support.run_length import LONG
from tests.support.service_process import service_settings

CALLS, AGENTS = (50_000, 1_000) if LONG else (1_500, 120)


@pytest.mark.timeout(900 if LONG else 120)
async def test_agents_on_one_account_never_use_more_than_was_granted(database):
    async with (
        open_service(load_settings(service_settings(database, BILLING_LOG_LEVEL="ERROR"))) as service,
        grpc.aio.insecure_channel(service.address) as one,
        grpc.aio.insecure_channel(service.address, [("grpc.use_local_subchannel_pool", 1)]) as two,
    ):
        everybody = await spend([one, two], calls=CALLS, agents=AGENTS, seed=1)
    wrong, sums = judge(everybody, database)
    assert not any(wrong.values()), wrong
    assert sums["used"] > 0
    kinds = ("DeductCredits", "HoldCredits", "CaptureHold", "ReleaseHold", "session closed", "tick", "refused")
    assert min(everybody.told[kind] for kind in kinds) > 0, everybody.told
