"""Deadlines of a millisecond, or of hardly more than the service begins work for, on every RPC."""

import asyncio
import time

import grpc
import pytest

from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
from tests.security.every_rpc import CREDIT, METHODS, call, valid_request
from tests.support.patience import PATIENCE_S
from tests.support.stack import environment

DEADLINES_S = (0.001, 0.021, 0.03)
ANSWERED_WITHIN_S = 10.0
"""Of calls with deadlines of milliseconds, whose service has 30 s for those without one."""
TOO_LATE = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
DEFECTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


@pytest.fixture
async def service(database):
    settings = environment(database.url, "http://127.0.0.1:9", BILLING_MIGRATE_ON_START="false", STRIPE_TIMEOUT_S="0.5")
    async with open_service(load_settings(settings)) as started:
        yield started


async def gone(service):
    async with asyncio.timeout(PATIENCE_S):
        # None of them tells.
        while service.server.edge.admission.in_flight or service.environment.store._running:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_every_rpc_answers_in_time_and_its_key_finds_out_what_happened(service):
    async with grpc.aio.insecure_channel(service.address) as channel:
        given = valid_request("GrantCredits", amount_microcredits=1000 * CREDIT)
        assert (await call(channel, "GrantCredits", given)).code is grpc.StatusCode.OK
        for name in METHODS:
            for deadline_s in DEADLINES_S:
                request, begun = valid_request(name), time.monotonic()
                if name in {"CreateApiKey", "CreateAccount"}:  # at most two keys a caller, one account of a name
                    request = valid_request(name, **{request.DESCRIPTOR.fields[0].name: f"{name.lower()}-{deadline_s}"})
                hasty = await call(channel, name, request, timeout_s=deadline_s)
                assert time.monotonic() - begun < ANSWERED_WITHIN_S, name
                assert hasty.code not in DEFECTS, f"{name}: {hasty.everything}"
                assert deadline_s > 0.001 or hasty.code in TOO_LATE, f"{name}: {hasty.everything}"
                await gone(service)
                patient = await call(channel, name, request)
                assert patient.code not in TOO_LATE | DEFECTS, f"{name}: {patient.everything}"
                if hasty.code is grpc.StatusCode.OK and "replayed" in hasty.answer.DESCRIPTOR.fields_by_name:
                    assert patient.answer.replayed, name
        verified = await call(channel, "VerifyLedger", valid_request("VerifyLedger", account_id=""))
        assert not verified.answer.differences
        balance = (await call(channel, "GetBalance", valid_request("GetBalance"))).answer.balance
        # Each key once: for each deadline granted and adjusted one credit, and deducted one, alone, in a batch and on a
        # stream. Holds and sessions only set credits aside.
        kept = balance.available_microcredits + balance.held_microcredits
        assert kept == (1000 - len(DEADLINES_S)) * CREDIT
