"""What is tried again, with the same key, how often, and what the last failure means."""

import asyncio
import random

import grpc
import pytest
from billing_client import AsyncBillingClient, BillingClient, errors, retries
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from prepaid.billing.v1.transactions_pb2 import DeductCreditsResponse

from tests.support.fake_service import Answer, Hang

pytestmark = pytest.mark.usefixtures("quick_retries")
STATUSES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]
NOT_THE_SERVICE = [
    {},
    {"reason": "ACCOUNT_FROZEN", "domain": "someone.else"},
    {"trailer": b"\xff\xff not a status"},
]
"""Answers without our ErrorInfo: of gRPC itself, of a proxy, of one that mangles trailers."""
STORAGE = Answer(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
LOST = Answer(grpc.StatusCode.UNAVAILABLE)
DEDUCTION = {"account_id": "a", "amount_microcredits": 5}


def hint(seconds):
    return (RetryInfo(retry_delay=Duration(nanos=round(seconds * 1e9) % 10**9, seconds=int(seconds))),)


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in retries.REPEATED])
async def test_an_answer_of_the_services_own_is_not_asked_for_again(call, service, status):
    service.script = [Answer(status, "FROM_THE_FUTURE")]
    with pytest.raises(errors.BillingError) as raised:
        await call("deduct_credits", **DEDUCTION)
    assert (raised.value.status, raised.value.reason, len(service.attempts)) == (status, "FROM_THE_FUTURE", 1)


@pytest.mark.parametrize("reason", ["STORAGE_UNAVAILABLE", "FROM_THE_FUTURE"])
@pytest.mark.parametrize("status", sorted(retries.REPEATED, key=str))
async def test_what_the_service_asks_to_repeat_is_repeated(call, service, status, reason):
    service.script = [Answer(status, reason)] * 2
    await call("deduct_credits", **DEDUCTION)
    assert len(service.attempts) == 3


@pytest.mark.parametrize("disguise", NOT_THE_SERVICE, ids=["grpc", "proxy", "mangled"])
@pytest.mark.parametrize("status", STATUSES)
async def test_any_other_answer_is_nobodys_word_and_is_asked_for_again_with_the_same_key(
    call, service, status, disguise
):
    service.script = [Answer(status, **disguise)] * 3 + [DeductCreditsResponse(transaction_id="txn_1")]
    assert (await call("deduct_credits", **DEDUCTION)).transaction_id == "txn_1"
    assert len(service.attempts) == 4
    assert len({attempt.request.SerializeToString(deterministic=True) for attempt in service.attempts}) == 1
    assert len(service.attempts[0].request.idempotency_key) == 36


@pytest.mark.parametrize("status", STATUSES)
async def test_after_four_attempts_the_outcome_is_named_unknown_and_carries_the_key(call, service, status):
    service.script = [Answer(status)] * 9
    with pytest.raises(errors.OutcomeUnknown) as raised:
        await call("deduct_credits", **DEDUCTION)
    assert (type(raised.value), raised.value.status, len(service.attempts)) == (errors.OutcomeUnknown, status, 4)
    assert {attempt.request.idempotency_key for attempt in service.attempts} == {raised.value.idempotency_key}
    assert isinstance(raised.value.__cause__, grpc.RpcError)


async def test_stripe_delivers_again_so_the_gateway_retries_once(call, service):
    service.script = [STORAGE] * 9
    with pytest.raises(errors.OutcomeUnknown) as raised:
        await call("process_stripe_event", payload=b"{}", stripe_signature="t=1")
    assert (len(service.attempts), raised.value.idempotency_key) == (2, None)


async def test_no_attempt_begins_that_the_deadline_leaves_no_time_for(call, service):
    begun = asyncio.get_running_loop().time()
    service.script = [Answer(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", more=hint(30))] * 4
    with pytest.raises(errors.StorageUnavailable) as raised:
        await call("deduct_credits", timeout_s=20, **DEDUCTION)
    assert (len(service.attempts), raised.value.retry_after_s) == (1, 30)
    assert asyncio.get_running_loop().time() - begun < 10


@pytest.mark.parametrize("late_s", [0.96, 0.999])
async def test_no_attempt_begins_that_the_service_would_not_begin(call, service, monkeypatch, late_s):
    """What the service said counts, and not that the time ran out."""
    monkeypatch.setattr(retries, "pause_s", lambda _failures, _retry_after_s: late_s)
    service.script = [Answer(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")] * 4
    with pytest.raises(errors.StorageUnavailable) as raised:
        await call("deduct_credits", timeout_s=1, **DEDUCTION)
    assert (len(service.attempts), raised.value.reason) == (1, "STORAGE_UNAVAILABLE")


async def test_a_pause_that_took_too_long_is_the_last(call, service, monkeypatch):
    monkeypatch.setattr(retries.Attempts, "is_late", lambda _attempts, pause_s=None: pause_s is None)
    service.script = [Answer(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")] * 4
    with pytest.raises(errors.StorageUnavailable):
        await call("deduct_credits", timeout_s=5, **DEDUCTION)
    assert len(service.attempts) == 1


async def test_all_attempts_share_one_deadline(call, service):
    service.script = [Answer(grpc.StatusCode.UNAVAILABLE, "CONFLICT", more=hint(0.3)), Hang()]
    with pytest.raises(errors.OutcomeUnknown) as raised:
        await call("deduct_credits", timeout_s=1, **DEDUCTION)
    assert (raised.value.status, len(service.attempts)) == (grpc.StatusCode.DEADLINE_EXCEEDED, 2)
    first, second = (attempt.time_remaining_s for attempt in service.attempts)
    assert second < first - 0.25


@pytest.mark.parametrize(
    ("failures", "asked_s", "least_s", "most_s"),
    [
        (1, 2.0, 2.0, 3.0),
        (5, 2.0, 2.0, 3.0),
        (1, None, 0.05, 0.1),
        (2, None, 0.15, 0.3),
        (3, None, 0.45, 0.9),
        (4, None, 1, 2),
        (9, None, 1, 2),
    ],
)
def test_a_pause_is_what_the_service_asks_for_or_grows_to_a_bound(monkeypatch, failures, asked_s, least_s, most_s):
    monkeypatch.undo()
    for end, expected in ((min, least_s), (max, most_s)):
        monkeypatch.setattr(random, "uniform", end)
        assert retries.pause_s(failures, asked_s) == pytest.approx(expected)


UNSETTLED = [
    Answer(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID"),
    Answer(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", {"scope": "SCOPE_DEDUCT"}),
    Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    Answer(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT"),
    Answer(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
    Answer(grpc.StatusCode.INVALID_ARGUMENT, "SIGNATURE_INVALID"),
]
"""Said before the key is looked up."""
SETTLED = [
    Answer(grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_CREDITS"),
    Answer(grpc.StatusCode.NOT_FOUND, "ACCOUNT_NOT_FOUND"),
    Answer(grpc.StatusCode.ALREADY_EXISTS, "ACCOUNT_EXISTS"),
    Answer(grpc.StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED"),
    Answer(grpc.StatusCode.PERMISSION_DENIED, "NOT_YOURS"),
]


@pytest.mark.parametrize("lost", [LOST, STORAGE, Answer(grpc.StatusCode.INTERNAL)], ids=["lost", "storage", "internal"])
@pytest.mark.parametrize("last", UNSETTLED, ids=lambda answer: answer.reason)
async def test_what_turns_an_attempt_away_says_nothing_of_an_earlier_one(call, service, lost, last):
    service.script = [lost, last]
    with pytest.raises(errors.OutcomeUnknown) as raised:
        await call("deduct_credits", idempotency_key="mine", **DEDUCTION)
    assert (type(raised.value), raised.value.reason, raised.value.status) == (
        errors.OutcomeUnknown,
        last.reason,
        last.status,
    )
    assert (raised.value.metadata, raised.value.idempotency_key) == (last.metadata, "mine")


@pytest.mark.parametrize("last", SETTLED, ids=lambda answer: answer.reason)
async def test_what_was_said_after_a_look_at_the_key_settles_it(call, service, last):
    service.script = [LOST, last]
    with pytest.raises(errors.Refusal) as raised:
        await call("deduct_credits", **DEDUCTION)
    assert raised.value.reason == last.reason


async def test_a_read_is_told_what_its_last_attempt_was_told(call, service):
    service.script = [LOST, UNSETTLED[0]]
    with pytest.raises(errors.ApiKeyInvalid):
        await call("get_balance", account_id="a")


async def test_closing_ends_a_call_that_would_be_tried_again(service, monkeypatch):
    monkeypatch.setattr("billing_client.retries.BACKOFF_S", 10.0)
    service.script = [LOST] * 4
    client = BillingClient(service.address)
    begun = asyncio.ensure_future(asyncio.to_thread(client.deduct_credits, timeout_s=20, **DEDUCTION))
    await service.arrived()
    await asyncio.to_thread(client.close)
    with pytest.raises(errors.OutcomeUnknown):
        await begun
    awaited = AsyncBillingClient(service.address)
    begun = asyncio.ensure_future(awaited.deduct_credits(timeout_s=20, **DEDUCTION))
    await service.arrived(2)
    await asyncio.sleep(0.1)
    await awaited.close()
    with pytest.raises(errors.OutcomeUnknown):
        await begun
    assert len(service.attempts) == 2


async def test_closing_ends_a_call_under_way_as_an_unknown_outcome(service):
    service.script = [Hang(), Hang()]
    blocking = BillingClient(service.address)
    begun = asyncio.ensure_future(asyncio.to_thread(blocking.deduct_credits, timeout_s=20, **DEDUCTION))
    await service.arrived()
    await asyncio.to_thread(blocking.close)
    with pytest.raises(errors.OutcomeUnknown):
        await begun
    awaited = AsyncBillingClient(service.address)
    begun = asyncio.ensure_future(awaited.deduct_credits(timeout_s=20, **DEDUCTION))
    await service.arrived(2)
    await awaited.close()
    with pytest.raises(errors.OutcomeUnknown, match="closed"):
        await begun


async def test_a_caller_that_cancels_is_cancelled(service):
    service.script = [Hang()]
    async with AsyncBillingClient(service.address) as client:
        begun = asyncio.ensure_future(client.deduct_credits(**DEDUCTION))
        await service.arrived()
        begun.cancel()
        with pytest.raises(asyncio.CancelledError):
            await begun
    assert len(service.attempts) == 1


def test_a_call_on_a_client_that_another_thread_closes_was_not_sent(service, monkeypatch):
    """Between the look at the channel and the call, as far as threads allow."""
    client = BillingClient(service.address)
    client.get_balance(account_id="a")
    stubs = client._stubs
    monkeypatch.setattr(stubs, "reach", lambda _timeout_s: stubs.close())
    with pytest.raises(errors.ServiceUnreachable, match="nothing was sent, the client was closed"):
        client.deduct_credits(**DEDUCTION)
    assert len(service.attempts) == 1
