"""Outcomes of many deductions: the bytes that protobuf would write, and for each no what a unary call would have
counted and logged."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prepaid.billing.v1 import transactions_pb2
from prometheus_client import CollectorRegistry

from billing_service.api import call_log
from billing_service.api.admission import Admission
from billing_service.api.call_log import readers_of
from billing_service.api.metrics import CallMetrics
from billing_service.api.servicers.deductions import reply_of_deduction, varint
from billing_service.api.servicers.operations import Kind
from billing_service.api.servicers.outcomes import Outcomes
from billing_service.api.status import status_of
from billing_service.domain.refusals import Failure, Reason, Refusal, invalid_field
from billing_service.ledger.keys import Answer

REQUEST = transactions_pb2.DeductCreditsRequest(
    account_id="ada",
    amount_microcredits=7,
    mode="DEDUCTION_MODE_ALLOW_DEBT",
    description="canary",
    idempotency_key="canary",
    metadata={"canary": "a"},
)
KINDS = SimpleNamespace(
    of=lambda request: Kind(lambda *_: None, reply_of_deduction, b"\x0a", readers_of(request.DESCRIPTOR))
)
SHORT = Refusal(
    Reason.INSUFFICIENT_CREDITS, "short", metadata={"shortfall_microcredits": 5, "idempotency_key": "canary"}
)


@given(st.integers(0, 2**63 - 1))
def test_a_varint_is_what_protobuf_reads(number):
    read = transactions_pb2.StreamDeductionsResponse.FromString(b"\x08" + varint(number))
    assert read.sequence == number
    assert number == 0 or read.SerializeToString() == b"\x08" + varint(number)


@pytest.fixture
def call():
    metrics = CallMetrics(CollectorRegistry(), Admission(1))
    return SimpleNamespace(
        edge=SimpleNamespace(metrics=metrics), method="BatchDeductCredits", caller="metering", correlation_id="id-1"
    )


async def done(result):
    future = asyncio.get_running_loop().create_future()
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
    return future


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
@pytest.mark.parametrize("replayed", [False, True])
async def test_a_deduction_that_happened(call, size, replayed):
    reply = transactions_pb2.DeductCreditsResponse(transaction_id="t" * size)
    outcome = transactions_pb2.DeductionOutcome.FromString(
        Outcomes(KINDS).encode(await done(Answer(reply.SerializeToString(), replayed=replayed)), REQUEST, call)
    )
    reply.replayed = replayed
    assert (outcome.deducted, outcome.HasField("deducted")) == (reply, True)
    assert not call.edge.metrics.refusals


@pytest.mark.parametrize(
    "refused",
    [
        Refusal(Reason.ACCOUNT_NOT_FOUND, "none", metadata={"n": 1}),
        invalid_field("mode", "is bad"),
        Failure(Reason.CONFLICT, ""),
    ],
)
async def test_a_no_carries_the_unary_calls_status_and_is_counted(call, refused):
    ((_, expected),) = status_of(refused).trailing_metadata
    for begun in (refused, await done(refused)):
        outcome = transactions_pb2.DeductionOutcome.FromString(Outcomes(KINDS).encode(begun, REQUEST, call))
        assert outcome.refused.SerializeToString() == expected
    assert call.edge.metrics.refusals == {refused.reason: 2}


async def test_a_defect_is_told_by_its_id_alone_and_logged_whole(call):
    defect = RuntimeError("canary-hunter2")
    with structlog.testing.capture_logs() as lines:
        raw = Outcomes(KINDS).encode(await done(defect), REQUEST, call)
    outcome = transactions_pb2.DeductionOutcome.FromString(raw)
    assert (outcome.refused.code, b"hunter2" in raw, b"id-1" in raw) == (grpc.StatusCode.INTERNAL.value[0], False, True)
    assert [(line["log_level"], line["exc_info"]) for line in lines] == [("error", defect)]


async def test_one_that_was_cancelled_took_too_long(call):
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    outcome = transactions_pb2.DeductionOutcome.FromString(Outcomes(KINDS).encode(future, REQUEST, call))
    assert outcome.refused.code == grpc.StatusCode.UNAVAILABLE.value[0]
    assert call.edge.metrics.refusals == {Reason.STORAGE_UNAVAILABLE: 1}


async def test_what_failed_is_logged_once_a_second_for_each_reason_and_what_was_refused_twenty_times(call, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(call_log, "monotonic", lambda: now[0])
    outcomes = Outcomes(KINDS)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            for _ in range(50):
                outcomes.encode(Failure(Reason.STORAGE_UNAVAILABLE, "down"), REQUEST, call)
                outcomes.encode(Failure(Reason.OVERLOADED, "full"), REQUEST, call)
                outcomes.encode(SHORT, REQUEST, call)
            now[0] += 1.0
    failed = [line for line in lines if line["event"] == "deduction_failed"]
    told = [line for line in lines if line["event"] == "deduction_refused"]
    assert [(line["reason"], line.get("left_out", 0)) for line in failed] == [
        *[("STORAGE_UNAVAILABLE", 0), ("OVERLOADED", 0)],
        *[("STORAGE_UNAVAILABLE", 49), ("OVERLOADED", 49)] * 2,
    ]
    assert {line["log_level"] for line in failed} == {"warning"}
    assert [line.get("left_out", 0) for line in told] == [0] * 20 + ([30] + [0] * 19) * 2
    assert {line["log_level"] for line in told} == {"info"}


@pytest.mark.parametrize(
    "error", [SHORT, Failure(Reason.CONFLICT, "busy", metadata={"account_id": "other"}), RuntimeError()]
)
async def test_a_line_of_one_that_was_refused_names_its_account_and_its_call_and_nobodys_words(call, error):
    with structlog.testing.capture_logs() as lines:
        Outcomes(KINDS).encode(await done(error), REQUEST, call)
        Outcomes(KINDS).encode(error, None, call)
    line, undecoded = lines
    assert (line["mode"], line["amount_microcredits"], line["caller"]) == ("ALLOW_DEBT", 7, "metering")
    assert {(each["method"], each["correlation_id"]) for each in lines} == {("BatchDeductCredits", "id-1")}
    assert (line.get("account_id"), undecoded.get("mode")) == ("other" if isinstance(error, Failure) else "ada", None)
    assert not {"description", "metadata", "idempotency_key"} & line.keys()
    assert "canary" not in repr(line)
