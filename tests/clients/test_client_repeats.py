"""What is answered UNAVAILABLE inside a batch or on a stream is asked for again by itself, with its key; the others are
left alone."""

import asyncio
import threading

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, errors
from prepaid.billing.v1.transactions_pb2 import BatchDeductCreditsResponse, StreamDeductionsResponse

from tests.clients.scripted_deductions import CLIENTS, FROZEN, UNAVAILABLE, deducted, deduction, refused
from tests.support.fake_service import Answer
from tests.support.patience import PATIENCE_S

pytestmark = pytest.mark.usefixtures("quick_retries")
OVERLOADED = Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
FOREIGN = Answer(grpc.StatusCode.INTERNAL)
LOST = Answer(grpc.StatusCode.UNAVAILABLE)
KEY_INVALID = Answer(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


@pytest.fixture(params=["batch", "stream"])
def deduct(request, service):
    """Deducts on either client by a batch or a stream. `plan` is what each account's attempts are answered, in turn;
    then it is deducted.

    Answers what became of each, and the amounts that were asked for, one list for each round or stream.
    """

    async def run(kind, deductions, plan, **options):
        answers = {account: iter(steps) for account, steps in plan.items()}

        def outcome(asked):
            step = next(answers.get(asked.account_id, iter(())), None)
            return deducted(asked) if step is None else refused(step)

        if request.param == "batch":
            service._answer = lambda _method, asked, _context: _batch(service, asked, outcome)
            return await _ask(
                kind, service, lambda client: client.batch_deduct_credits(deductions=deductions, **options)
            ), service.rounds
        service.rounds = []
        service.converse = lambda _received, requests, _context: _stream(service, requests, outcome)
        return await _ask_stream(kind, service, deductions, options), service.rounds

    service.rounds = []
    return run


def _batch(service, asked, outcome):
    service.rounds.append([each.amount_microcredits for each in asked.deductions])
    return BatchDeductCreditsResponse(outcomes=[outcome(each) for each in asked.deductions])


def _stream(service, requests, outcome):
    seen = []
    service.rounds.append(seen)
    for count, request in enumerate(requests, 1):
        seen.append(request.deduction.amount_microcredits)
        yield StreamDeductionsResponse(sequence=count, outcome=outcome(request.deduction))


async def _ask(kind, service, ask):
    if kind == "blocking":
        with BillingClient(service.address) as client:
            return await asyncio.to_thread(ask, client)
    async with AsyncBillingClient(service.address) as client:
        return await ask(client)


async def _ask_stream(kind, service, deductions, options):
    if kind == "blocking":

        def run():
            with BillingClient(service.address) as client, client.stream_deductions(**options) as stream:
                return [stream.send(each) for each in deductions]

        return [future.exception(0) or future.result(0) for future in await asyncio.to_thread(run)]
    async with AsyncBillingClient(service.address) as client, client.stream_deductions(**options) as stream:
        futures = [await stream.send(each) for each in deductions]
    return [future.exception() or future.result() for future in futures]


@pytest.mark.parametrize(
    "step", [UNAVAILABLE, FOREIGN, Answer(grpc.StatusCode.CANCELLED, "CONFLICT")], ids=lambda step: step.status.name
)
@pytest.mark.parametrize("kind", CLIENTS)
async def test_it_is_asked_for_again_alone_with_its_key(kind, deduct, step):
    deductions = [deduction(number) for number in range(1, 6)]
    results, rounds = await deduct(kind, deductions, {"a2": [step, step], "a4": [step], "a5": [FROZEN]})
    assert [getattr(result, "transaction_id", result) for result in results[:4]] == [
        each.idempotency_key for each in deductions[:4]
    ]
    assert isinstance(results[4], errors.AccountFrozen)
    asked = [amount for part in rounds for amount in part]
    assert sorted(asked) == [1, 2, 2, 2, 3, 4, 4, 5]
    assert asked[:5] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", CLIENTS)
async def test_it_is_asked_for_four_times_at_most(kind, deduct):
    (first, second), rounds = await deduct(kind, [deduction(1), deduction(2)], {"a2": [UNAVAILABLE] * 9}, timeout_s=30)
    assert first.transaction_id
    assert isinstance(second, errors.ShuttingDown)
    assert sorted(amount for part in rounds for amount in part) == [1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([UNAVAILABLE, OVERLOADED], errors.OutcomeUnknown),
        ([FOREIGN, KEY_INVALID], errors.OutcomeUnknown),
        ([OVERLOADED], errors.Overloaded),
        ([KEY_INVALID], errors.ApiKeyInvalid),
        ([UNAVAILABLE, FROZEN], errors.AccountFrozen),
    ],
)
@pytest.mark.parametrize("kind", CLIENTS)
async def test_what_turned_the_last_attempt_away_says_nothing_of_an_earlier_one(kind, deduct, steps, expected):
    mine = deduction(1, idempotency_key="mine")
    (result,), _ = await deduct(kind, [mine], {"a1": steps})
    assert (type(result), result.reason, result.idempotency_key) == (expected, steps[-1].reason, "mine")


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("last", [KEY_INVALID, OVERLOADED, LOST], ids=lambda answer: answer.reason)
async def test_a_second_round_that_fails_whole_leaves_the_first_ones_answers_alone(kind, service, last):
    done, open_, frozen = deduction(1), deduction(2), deduction(3)
    outcomes = [deducted(done.request()), refused(UNAVAILABLE), refused(FROZEN)]
    service.script = [BatchDeductCreditsResponse(outcomes=outcomes), *[last] * 4]
    first, second, third = await _ask(
        kind, service, lambda client: client.batch_deduct_credits(deductions=[done, open_, frozen])
    )
    assert (first.transaction_id, type(third)) == (done.idempotency_key, errors.AccountFrozen)
    assert (type(second), second.idempotency_key, second.rpc) == (
        errors.OutcomeUnknown,
        open_.idempotency_key,
        "DeductCredits",
    )
    assert isinstance(second.__cause__, grpc.RpcError)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_service_that_is_gone_in_the_second_round_leaves_its_deductions_unknown(kind, service):
    answered = threading.Event()

    def answer(_method, asked, _context):
        answered.set()
        return BatchDeductCreditsResponse(outcomes=[refused(UNAVAILABLE) for _ in asked.deductions])

    service._answer = answer

    async def end():
        await asyncio.to_thread(answered.wait)
        await asyncio.to_thread(service.stop, 5)

    ending = asyncio.ensure_future(end())
    (result,) = await _ask(kind, service, lambda client: client.batch_deduct_credits(deductions=[deduction()]))
    await ending
    assert isinstance(result, errors.OutcomeUnknown)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_stream_without_a_service_sends_nothing_and_says_so(kind, service):
    service.address = "127.0.0.1:1"
    results = await _ask_stream(kind, service, [deduction(1), deduction(2)], {"timeout_s": 0.6})
    assert [type(result) for result in results] == [errors.ServiceUnreachable] * 2
    assert {result.status for result in results} == {grpc.StatusCode.DEADLINE_EXCEEDED}


async def test_a_stream_gives_up_what_it_would_send_again_too_late(service, monkeypatch):
    monkeypatch.setattr("billing_client.retries.BACKOFF_S", 2.0)
    service.converse = lambda _received, requests, _context: _stream(
        service, requests, lambda _asked: refused(UNAVAILABLE)
    )
    service.rounds = []
    async with AsyncBillingClient(service.address) as client, client.stream_deductions(timeout_s=0.9) as stream:
        waiting = await stream.send(deduction())
        with pytest.raises(errors.ShuttingDown):
            await asyncio.wait_for(waiting, PATIENCE_S)
    assert service.rounds == [[1]]


async def test_a_stream_that_is_abandoned_answers_what_rests_too(service, monkeypatch):
    monkeypatch.setattr("billing_client.retries.BACKOFF_S", 2.0)
    service.converse = lambda _received, requests, _context: _stream(
        service, requests, lambda _asked: refused(UNAVAILABLE)
    )
    service.rounds = []
    async with AsyncBillingClient(service.address) as client:
        stream = client.stream_deductions(timeout_s=60)
        waiting = await stream.send(deduction())
        while not stream._resting:  # noqa: ASYNC110 - looked at from outside
            await asyncio.sleep(0.01)
        assert stream.outstanding == 1
        await stream.abandon()
        with pytest.raises(errors.OutcomeUnknown):
            await asyncio.wait_for(waiting, PATIENCE_S)


async def test_what_was_sent_again_and_gets_no_answer_is_given_up_in_time(service):
    """Its time is over before that of those that were sent after it for the first time."""
    silent = threading.Event()

    def converse(_received, requests, _context):
        for count, request in enumerate(requests, 1):
            if request.deduction.account_id == "a1" and count == 1:
                yield StreamDeductionsResponse(sequence=count, outcome=refused(UNAVAILABLE))
            else:
                silent.wait(20)
                return

    service.converse = converse
    async with AsyncBillingClient(service.address) as client:
        stream = client.stream_deductions(timeout_s=2)
        first = await stream.send(deduction(1))
        await asyncio.sleep(1.4)  # the second's time ends as much later than the first's
        second = await stream.send(deduction(2))
        with pytest.raises(errors.OutcomeUnknown):
            await asyncio.wait_for(first, PATIENCE_S)
        assert not second.done()
        silent.set()
        await stream.abandon()
        assert isinstance(second.exception(), errors.OutcomeUnknown)
