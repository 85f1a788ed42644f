"""Streams of the client: broken connections made anew, each deduction with one effect and one answer."""

import asyncio
import random
import threading

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, Deduction, errors
from prepaid.billing.v1.transactions_pb2 import StreamDeductionsResponse

from tests.clients.scripted_deductions import CLIENTS, FROZEN, UNAVAILABLE, answering, deducted, deduction, refused
from tests.support.fake_service import Answer


async def stream_all(kind, service, deductions, **options):
    """What became of each, sent on one stream."""
    if kind == "blocking":

        def run():
            with BillingClient(service.address) as client, client.stream_deductions(**options) as stream:
                return [stream.send(each) for each in deductions]

        futures = await asyncio.to_thread(run)
        return [future.exception(0) or future.result(0) for future in futures]
    async with AsyncBillingClient(service.address) as client, client.stream_deductions(**options) as stream:
        futures = [await stream.send(each) for each in deductions]
    return [future.exception() or future.result() for future in futures]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_leaving_a_stream_waits_for_all_answers_and_each_is_typed(kind, service):
    deductions = [deduction(number) for number in range(1, 31)]
    answering(
        service, answered=lambda request: refused(FROZEN) if request.amount_microcredits % 3 == 0 else deducted(request)
    )
    results = await stream_all(kind, service, deductions)
    for each, result in zip(deductions, results, strict=True):
        if each.amount_microcredits % 3 == 0:
            assert (type(result), result.idempotency_key) == (errors.AccountFrozen, each.idempotency_key)
        else:
            assert result.transaction_id == each.idempotency_key
    assert service.streams == [[each.request() for each in deductions]]


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
@pytest.mark.parametrize("kind", CLIENTS)
async def test_what_a_broken_stream_left_unanswered_is_sent_again_in_order_with_the_same_keys(kind, service, status):
    deductions = [deduction(number) for number in range(1, 41)]
    answering(
        service, until=[7, 0, 12], then=Answer(status, "SHUTTING_DOWN" if status is grpc.StatusCode.UNAVAILABLE else "")
    )
    results = await stream_all(kind, service, deductions, timeout_s=30)
    assert [result.transaction_id for result in results] == [each.idempotency_key for each in deductions]
    sent = [each.request() for each in deductions]
    starts = [sent.index(received[0]) for received in service.streams]
    assert len(starts) >= 4
    assert starts == sorted(starts)
    assert all(
        received == sent[start:][: len(received)] for start, received in zip(starts, service.streams, strict=True)
    )
    # An answer that came right before the end may be lost to a write that ran into it, and is then asked for again.
    assert service.streams[-1] == sent[starts[-1] :]
    assert starts[-1] <= 19


async def test_random_breaks_answer_each_once(service):
    chance = random.Random(7)
    deductions = [deduction(number) for number in range(1, 201)]
    answering(service, until=[chance.randrange(6) for _ in range(40)], then=UNAVAILABLE)
    results = await stream_all("asyncio", service, deductions, timeout_s=60, outstanding_max=16)
    assert [result.transaction_id for result in results] == [each.idempotency_key for each in deductions]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_stream_that_is_refused_raises_for_what_it_did_not_answer_and_for_what_comes_after(kind, service):
    answering(service, until=[2], then=Answer(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID"))
    first, second, third, fourth = [deduction(number) for number in range(1, 5)]

    async def run(send, answer):
        answers = [await send(first), await send(second)]
        assert [(await answer(each)).transaction_id for each in answers] == [
            first.idempotency_key,
            second.idempotency_key,
        ]
        with pytest.raises(errors.ApiKeyInvalid) as raised:
            await answer(await send(third))
        assert raised.value.idempotency_key == third.idempotency_key
        with pytest.raises(errors.ApiKeyInvalid) as raised:
            await send(fourth)
        assert raised.value.idempotency_key == fourth.idempotency_key

    if kind == "blocking":
        with BillingClient(service.address) as client, client.stream_deductions() as stream:
            await run(
                lambda each: asyncio.to_thread(stream.send, each), lambda future: asyncio.to_thread(future.result, 20)
            )
    else:
        async with AsyncBillingClient(service.address) as client, client.stream_deductions() as stream:
            await run(stream.send, lambda future: asyncio.wait_for(future, 20))
    assert len(service.streams) == 1, "a refused stream was opened again"


async def test_a_stream_that_is_refused_at_once_is_given_one_deduction_to_refuse(service):
    """A write that runs into the end of its stream hides the status from its caller: no more is sent until the service
    has accepted."""
    refusal, go = Answer(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID"), threading.Event()

    def converse(received, requests, context):
        arriving = threading.Thread(target=lambda: received.extend(request.deduction for request in requests))
        arriving.start()
        go.wait(20)
        context.set_trailing_metadata((("grpc-status-details-bin", refusal.packed()),))
        context.abort(refusal.status, refusal.message)
        yield

    service.converse = converse
    async with AsyncBillingClient(service.address) as client, client.stream_deductions() as stream:
        futures = [await stream.send(deduction(number)) for number in range(1, 51)]
        await asyncio.sleep(0.1)
        sent = [len(received) for received in service.streams]
        go.set()
        results = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 20)
    assert {type(result) for result in results} == {errors.ApiKeyInvalid}
    assert sent == [1]
    assert len(service.streams) == 1


async def test_what_may_have_happened_on_a_broken_stream_is_unknown_when_the_next_one_is_refused(service):
    ends = [UNAVAILABLE, Answer(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")]

    def converse(received, requests, context):
        received.append(next(requests).deduction)
        end = ends.pop(0)
        context.set_trailing_metadata((("grpc-status-details-bin", end.packed()),))
        context.abort(end.status, end.message)
        yield

    service.converse = converse
    async with AsyncBillingClient(service.address) as client, client.stream_deductions() as stream:
        sent = deduction()
        with pytest.raises(errors.OutcomeUnknown) as unknown:
            await asyncio.wait_for(await stream.send(sent), 20)
    assert (type(unknown.value), unknown.value.idempotency_key) == (errors.OutcomeUnknown, sent.idempotency_key)


async def test_a_deduction_without_an_answer_in_time_is_unknown_and_those_after_it_go_on(service):
    silent = [True]

    def converse(received, requests, _context):
        for count, request in enumerate(requests, 1):
            received.append(request.deduction)
            if silent[0]:
                silent[0] = False
                break
            yield StreamDeductionsResponse(sequence=count, outcome=deducted(request.deduction))
        else:
            return
        for _ in requests:  # silent until the caller gives up
            pass

    service.converse = converse
    async with AsyncBillingClient(service.address) as client, client.stream_deductions(timeout_s=2) as stream:
        late, begun = deduction(1), asyncio.get_running_loop().time()
        waiting = await stream.send(late)
        await asyncio.sleep(1.5)  # which is what the second has left when the first one's time is over
        after = await stream.send(deduction(2))
        with pytest.raises(errors.OutcomeUnknown) as unknown:
            await asyncio.wait_for(waiting, 20)
        assert asyncio.get_running_loop().time() - begun < 10
        assert (unknown.value.idempotency_key, unknown.value.status) == (
            late.idempotency_key,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
        assert (await asyncio.wait_for(after, 20)).transaction_id == service.streams[1][0].idempotency_key


async def test_no_more_than_may_be_are_without_an_answer(service):
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    def converse(received, requests, _context):
        for count, request in enumerate(requests, 1):
            received.append(request.deduction)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result()
            yield StreamDeductionsResponse(sequence=count, outcome=deducted(request.deduction))

    service.converse = converse
    async with AsyncBillingClient(service.address) as client:
        with pytest.raises(ValueError, match="outstanding_max"):
            client.stream_deductions(outstanding_max=257)
        async with client.stream_deductions(outstanding_max=3, timeout_s=20) as stream:
            for number in range(1, 4):
                await stream.send(deduction(number))
            fourth = asyncio.ensure_future(stream.send(deduction(4)))
            await asyncio.sleep(0.05)
            assert (fourth.done(), stream.outstanding) == (False, 3)
            go.set()
            assert (await (await fourth)).transaction_id
        assert stream.outstanding == 0
        with pytest.raises(ValueError, match="closed"):
            await stream.send(deduction())


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("is_sent", [True, False], ids=["sent", "not sent"])
async def test_a_block_that_fails_abandons_its_stream_at_once(kind, service, is_sent):
    arrived, address = threading.Event(), service.address if is_sent else "127.0.0.1:1"

    def converse(received, requests, _context):
        for request in requests:
            received.append(request.deduction)
            arrived.set()
        yield from ()

    service.converse = converse
    sent, futures = deduction(), []

    def blocking():
        with BillingClient(address) as client, client.stream_deductions(timeout_s=60) as stream:
            futures.append(stream.send(sent))
            assert arrived.wait(10 if is_sent else 0.1) is is_sent
            raise KeyError

    async def awaited():
        async with AsyncBillingClient(address) as client, client.stream_deductions(timeout_s=60) as stream:
            futures.append(await stream.send(sent))
            assert await asyncio.to_thread(arrived.wait, 10 if is_sent else 0.1) is is_sent
            raise KeyError

    with pytest.raises(KeyError):
        async with asyncio.timeout(10):
            await (asyncio.to_thread(blocking) if kind == "blocking" else awaited())
    assert type(futures[0].exception()) is (errors.OutcomeUnknown if is_sent else errors.Failure)
    assert futures[0].exception().idempotency_key == sent.idempotency_key


def test_deductions_that_can_not_be_meant_are_refused_before_anything_is_sent(service):
    with BillingClient(service.address) as client, client.stream_deductions() as stream:
        for wrong, error in ((1.5, TypeError), (2**63, ValueError)):
            with pytest.raises(error):
                client.batch_deduct_credits(deductions=[Deduction(account_id="a", amount_microcredits=wrong)])
            with pytest.raises(error):
                stream.send(Deduction(account_id="a", amount_microcredits=wrong))
        with pytest.raises(ValueError, match="timeout_s"):
            client.stream_deductions(timeout_s=0)
    assert service.attempts == []
    assert service.streams == []
