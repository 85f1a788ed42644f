"""tail_events of both clients: over broken connections nothing is missed or sent twice, and it ends as it should."""

import asyncio

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, EventKind, errors
from prepaid.billing.v1.events_pb2 import Event, TailEventsResponse

from tests.clients.scripted_deductions import CLIENTS
from tests.clients.test_client_watch import AWAY, showing
from tests.support.fake_service import Answer

EXPIRED = Answer(grpc.StatusCode.FAILED_PRECONDITION, "POSITION_EXPIRED")


def told(number):
    return TailEventsResponse(event=Event(event_id=f"evt_{number}"), position=f"at-{number}")


def moved(number):
    return TailEventsResponse(position=f"at-{number}")


async def follow(kind, service, count=None, **options):
    """(event, position) of what comes; of at most so many."""
    found = []
    if kind == "blocking":

        def run():
            with BillingClient(service.address) as client:
                for each in client.tail_events(**options):
                    found.append((each.event.event_id, each.position))
                    if len(found) == count:
                        return

        await asyncio.to_thread(run)
    else:
        async with AsyncBillingClient(service.address) as client:
            async for each in client.tail_events(**options):
                found.append((each.event.event_id, each.position))
                if len(found) == count:
                    break
    return found


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_broken_connection_goes_on_after_the_last_message(kind, service, quick_retries):
    del quick_retries
    showing(service, [moved(1), told(2), AWAY], [AWAY], [moved(7), AWAY], [told(8)])
    debt = EventKind.EVENT_KIND_DEBT
    assert await follow(kind, service, 2, kinds=[debt], account_id="a", from_now=True) == [
        ("evt_2", "at-2"),
        ("evt_8", "at-8"),
    ]
    requests = [each for (each,) in service.streams]
    assert [(each.after, each.from_now) for each in requests] == [
        ("", True),
        ("at-2", False),
        ("at-2", False),
        ("at-7", False),
    ]
    assert all((list(each.kinds), each.account_id) == ([debt], "a") for each in requests)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_refusal_ends_it_at_once_and_typed(kind, service):
    showing(service, [EXPIRED])
    with pytest.raises(errors.PositionExpired):
        await follow(kind, service, after="at-1")
    assert len(service.streams) == 1


@pytest.mark.parametrize("kind", CLIENTS)
async def test_without_a_service_it_ends_after_its_time(kind, service, quick_retries):
    del quick_retries
    showing(service, [told(1), AWAY], *[[AWAY]] * 10_000)
    with pytest.raises(errors.Failure) as ended:
        await follow(kind, service, timeout_s=0.3)
    assert ended.value.reason == "SHUTTING_DOWN"
    assert len(service.streams) > 2


@pytest.mark.parametrize("kind", CLIENTS)
async def test_leaving_the_loop_ends_the_call(kind, service):
    released = showing(service, [told(1)])
    assert await follow(kind, service, 1) == [("evt_1", "at-1")]
    assert await asyncio.to_thread(released.wait, 30)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_closing_the_client_ends_the_loop(kind, service):
    showing(service, [told(1)])
    if kind == "blocking":
        client = BillingClient(service.address)
        feed = client.tail_events()
        assert (await asyncio.to_thread(next, feed)).event.event_id == "evt_1"
        following = asyncio.ensure_future(asyncio.to_thread(next, feed, None))
        await asyncio.sleep(0)
        client.close()
    else:
        client = AsyncBillingClient(service.address)
        feed = client.tail_events()
        assert (await anext(feed)).event.event_id == "evt_1"
        following = asyncio.ensure_future(anext(feed, None))
        await asyncio.sleep(0)
        await client.close()
    assert await following is None
