"""reconcile of both clients: over broken connections it goes on after the last part, and it ends as it should."""

import asyncio
from datetime import UTC, datetime

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, errors
from prepaid.billing.v1.reconciling_pb2 import ReconcileResponse

from tests.clients.scripted_deductions import CLIENTS
from tests.clients.test_client_watch import AWAY, showing
from tests.support.fake_service import Answer

REFUSED = Answer(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def part(stage, resume_token):
    return ReconcileResponse(stage=stage, resume_token=resume_token)


async def run(kind, service, **options):
    """The stages that came."""
    if kind == "blocking":

        def read():
            with BillingClient(service.address) as client:
                return [each.stage for each in client.reconcile(**options)]

        return await asyncio.to_thread(read)
    async with AsyncBillingClient(service.address) as client:
        return [each.stage async for each in client.reconcile(**options)]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_broken_connection_goes_on_after_the_last_part(kind, service, quick_retries):
    del quick_retries
    showing(service, [part("refund", "at-1"), AWAY], [AWAY], [part("dispute", "at-2"), AWAY], [part("events 1", "")])
    asked = {"start_time": SINCE, "dry_run": False, "reason": "lost"}
    assert await run(kind, service, **asked) == ["refund", "dispute", "events 1"]
    requests = [each for (each,) in service.streams]
    assert [each.resume_token for each in requests] == ["", "at-1", "at-1", "at-2"]
    assert {(each.start_time.seconds, each.dry_run, each.reason) for each in requests} == {
        (int(SINCE.timestamp()), False, "lost")
    }
    assert not any(each.HasField("end_time") for each in requests)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_nothing_is_changed_unless_asked_for(kind, service):
    showing(service, [part("purchase", "")])
    await run(kind, service, purchase="pur_1")
    [[request]] = service.streams
    assert (request.HasField("dry_run"), request.dry_run, request.purchase) == (True, True, "pur_1")


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_refusal_ends_it_at_once_and_typed(kind, service):
    showing(service, [REFUSED])
    with pytest.raises(errors.InvalidField):
        await run(kind, service, resume_token="at-1")
    assert len(service.streams) == 1


@pytest.mark.parametrize("kind", CLIENTS)
async def test_without_a_service_it_ends_after_its_time(kind, service, quick_retries):
    del quick_retries
    showing(service, [part("refund", "at-1"), AWAY], *[[AWAY]] * 10_000)
    with pytest.raises(errors.ShuttingDown):
        await run(kind, service, timeout_s=0.3)
    assert len(service.streams) > 2


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_time_without_a_zone_is_refused(kind, service):
    with pytest.raises(ValueError, match="zone"):
        await run(kind, service, start_time=datetime(2026, 11, 1))  # noqa: DTZ001 - what is refused
    assert service.streams == []
