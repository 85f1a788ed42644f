"""watch_balance of both clients: over broken connections nothing is shown twice and nothing older, and it ends as it
should."""

import asyncio
import threading

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, errors
from prepaid.billing.v1.accounts_pb2 import WatchBalanceResponse

from tests.clients.scripted_deductions import CLIENTS
from tests.support.fake_service import Answer

AWAY = Answer(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
NOBODY = Answer(grpc.StatusCode.NOT_FOUND, "ACCOUNT_NOT_FOUND")


def answers(version, second, available=0):
    balance = {"account_version": version, "as_of_time": {"seconds": second}, "available_microcredits": available}
    return WatchBalanceResponse(balance=balance)


def showing(service, *connections):
    """Each connection shows these answers, the last of which may be an error; a connection without one stays."""
    left = list(connections)
    released = threading.Event()

    def converse(received, requests, context):
        received.extend(requests)
        context.add_callback(released.set)
        for answer in left.pop(0):
            if isinstance(answer, Answer):
                context.set_trailing_metadata((("grpc-status-details-bin", answer.packed()),))
                context.abort(answer.status, answer.message)
            yield answer
        released.wait(30)

    service.converse = converse
    return released


async def follow(kind, service, count=None, **options):
    """(version, available) of what is shown; of at most so many."""
    shown = []
    if kind == "blocking":

        def run():
            with BillingClient(service.address) as client:
                for balance in client.watch_balance(account_id="a", **options):
                    shown.append((balance.account_version, balance.available_microcredits))
                    if len(shown) == count:
                        return

        await asyncio.to_thread(run)
    else:
        async with AsyncBillingClient(service.address) as client:
            async for balance in client.watch_balance(account_id="a", **options):
                shown.append((balance.account_version, balance.available_microcredits))
                if len(shown) == count:
                    break
    return shown


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_broken_connection_shows_nothing_twice_and_nothing_older(kind, service, quick_retries):
    del quick_retries
    showing(
        service,
        [answers(3, 10, 5), answers(4, 11, 4), AWAY],
        [answers(4, 12, 4), AWAY],  # the same again, later
        [answers(4, 9, 7), AWAY],  # by a clock that is behind
        [answers(4, 14, 3), answers(3, 15, 9), answers(6, 15, 1)],
    )
    assert await follow(kind, service, 4, after_version=3) == [(3, 5), (4, 4), (4, 3), (6, 1)]
    assert [each.after_version for (each,) in service.streams] == [3, 4, 4, 4]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_refusal_ends_it_at_once_and_typed(kind, service):
    showing(service, [NOBODY])
    with pytest.raises(errors.AccountNotFound):
        await follow(kind, service)
    assert len(service.streams) == 1


@pytest.mark.parametrize("kind", CLIENTS)
async def test_without_a_service_it_ends_after_its_time(kind, service, quick_retries):
    del quick_retries
    showing(service, [answers(1, 1), AWAY], *[[AWAY]] * 10_000)
    with pytest.raises(errors.Failure) as ended:
        await follow(kind, service, timeout_s=0.3)
    assert ended.value.reason == "SHUTTING_DOWN"
    assert len(service.streams) > 2


@pytest.mark.parametrize("kind", CLIENTS)
async def test_leaving_the_loop_ends_the_call(kind, service):
    released = showing(service, [answers(1, 1)])
    assert await follow(kind, service, 1) == [(1, 0)]
    assert await asyncio.to_thread(released.wait, 30)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_closing_the_client_ends_the_loop(kind, service):
    showing(service, [answers(1, 1)], [answers(2, 2)])
    if kind == "blocking":
        client = BillingClient(service.address)
        watch = client.watch_balance(account_id="a")
        assert (await asyncio.to_thread(next, watch)).account_version == 1
        following = asyncio.ensure_future(asyncio.to_thread(next, watch, None))
        await asyncio.sleep(0)
        client.close()
        assert await following is None
    else:
        client = AsyncBillingClient(service.address)
        watch = client.watch_balance(account_id="a")
        assert (await anext(watch)).account_version == 1
        following = asyncio.ensure_future(anext(watch, None))
        await asyncio.sleep(0)
        await client.close()
        assert await following is None
    assert len(service.streams) == 1
