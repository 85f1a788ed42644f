"""What a caller sees when a call goes wrong: always a definite status, in time, and never what went wrong inside."""

import logging

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from prepaid.billing.v1 import accounts_pb2, stripe_events_pb2, transactions_pb2
from prometheus_client import generate_latest

from billing_service.api.pipeline import build_handler, required_scope
from billing_service.api.server import ServerLimits, Service
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.refusals import Failure, Reason, Refusal, invalid_field
from tests.api.edge_server import (
    ANSWER,
    BILLING,
    REQUEST,
    STRIPE_EVENTS,
    TIMEOUT_S,
    Gate,
    edge_server,
    raising,
    refused,
    sample,
)

CANARY = "canary-hunter2"


@pytest.mark.parametrize("method", ["DeductCredits", "CreateAccount"])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(CANARY),
        KeyError(CANARY),
        TimeoutError(CANARY),
        AssertionError(CANARY),
        ExceptionGroup(CANARY, [ValueError(CANARY)]),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        RecursionError(CANARY),
        MemoryError(CANARY),
        type(CANARY, (Exception,), {})(CANARY),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_nothing_of_a_defect_reaches_the_caller(method, error, caplog):
    request = REQUEST if method == "DeductCredits" else accounts_pb2.CreateAccountRequest()
    async with edge_server({method: raising(error)}) as edge:
        call = getattr(edge.stub, method)(request, timeout=TIMEOUT_S, metadata=(("x-request-id", "req-7"),))
        seen = await refused(call)
        everything = (
            f"{seen} {await call.initial_metadata()} {await call.trailing_metadata()} {generate_latest(edge.registry)}"
        )
        assert CANARY not in everything
        assert (seen.code, seen.reason, seen.metadata) == (
            grpc.StatusCode.INTERNAL,
            "INTERNAL",
            {"correlation_id": "req-7"},
        )
        (line,) = edge.log.rpcs()
        assert (line["level"], line["correlation_id"], line["exc_info"]) == ("error", "req-7", error)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("answer", [None, 5, "text"])
async def test_an_answer_that_is_no_message_is_a_defect(answer):
    async def implementation(_request, _call):
        return answer

    async with edge_server({"DeductCredits": implementation}) as edge:
        seen = await refused(edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S))
        assert seen.reason == "INTERNAL"


@pytest.mark.parametrize("request_id", ["", "two words", "new\\nline", "x" * 65, "é".encode().decode("latin-1")])
async def test_a_strange_request_id_is_replaced(request_id):
    async with edge_server({"DeductCredits": raising(RuntimeError())}) as edge:
        metadata = (("x-request-id", request_id),) if request_id.isascii() else ()
        seen = await refused(edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S, metadata=metadata))
        assert len(seen.metadata["correlation_id"]) == 16
        assert edge.log.rpcs()[0]["correlation_id"] == seen.metadata["correlation_id"]


@pytest.mark.parametrize("reason", Reason)
async def test_every_refusal_arrives_with_its_details(reason):
    error = (
        Failure(reason, "words", metadata={"n": 5})
        if reason.name.endswith("UNAVAILABLE")
        else Refusal(reason, "words", metadata={"n": 5})
    )
    async with edge_server({"Refund": raising(error)}) as edge:
        stub_call = edge.channel.unary_unary("/prepaid.billing.v1.BillingService/Refund")
        seen = await refused(stub_call(b"", timeout=TIMEOUT_S))
        assert (seen.text, seen.reason, seen.metadata) == ("words", reason.value, {"n": "5"})
        assert sample(edge, "billing_refusals_total", reason=reason.value) == 1


async def test_field_violations_arrive():
    async with edge_server({"DeductCredits": raising(invalid_field("account_id", "is required"))}) as edge:
        seen = await refused(edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S))
        assert (seen.code, seen.violations) == (grpc.StatusCode.INVALID_ARGUMENT, [("account_id", "is required")])


@pytest.mark.parametrize(
    "raw", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7f"], ids=["garbage", "not UTF-8", "cut off"]
)
async def test_bytes_that_are_no_request_are_refused(raw):
    async with edge_server() as edge:
        seen = await refused(
            edge.channel.unary_unary("/prepaid.billing.v1.BillingService/DeductCredits")(raw, timeout=TIMEOUT_S)
        )
        assert (seen.reason, seen.violations[0][0]) == ("INVALID_FIELD", "request")


async def test_a_request_has_its_methods_own_size_limit():
    async with edge_server({"DeductCredits": raising(RuntimeError("must not be reached"))}) as edge:
        seen = await refused(
            edge.stub.DeductCredits(transactions_pb2.DeductCreditsRequest(description="x" * 65_536), timeout=TIMEOUT_S)
        )
        assert (seen.reason, seen.violations[0][0]) == ("INVALID_FIELD", "request")
        forward = edge.channel.unary_unary(f"/{STRIPE_EVENTS.full_name}/ProcessStripeEvent")
        event = stripe_events_pb2.ProcessStripeEventRequest(payload=b"x" * 262_144, stripe_signature="t=1,v1=00")
        assert await forward(event.SerializeToString(), timeout=TIMEOUT_S) == b""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await forward(b"x" * 1_400_000, timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await refused(forward(b"x" * 400_000, timeout=TIMEOUT_S))).reason == "INVALID_FIELD"
        batch = transactions_pb2.BatchDeductCreditsRequest(
            deductions=[transactions_pb2.DeductCreditsRequest(description="x" * 1_000_000)]
        )
        assert (
            await edge.stub.BatchDeductCredits(batch, timeout=TIMEOUT_S)
            == transactions_pb2.BatchDeductCreditsResponse()
        )


async def test_a_page_beyond_what_may_be_sent_is_refused_with_what_to_do():
    async def implementation(_request, _call):
        return transactions_pb2.ListTransactionsResponse(next_page_token="x" * 1_100_000)

    async with edge_server({"ListTransactions": implementation}) as edge:
        seen = await refused(edge.stub.ListTransactions(transactions_pb2.ListTransactionsRequest(), timeout=TIMEOUT_S))
        assert (seen.reason, seen.violations[0][0]) == ("INVALID_FIELD", "page_size")


async def test_overload_is_refused_and_over_at_once():
    gate = Gate()
    async with edge_server({"DeductCredits": gate.wait}, limits=ServerLimits(in_flight_max=3, grace_s=0.1)) as edge:
        accepted = [edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S) for _ in range(3)]
        for _ in accepted:
            await gate.entered.acquire()
        for _ in range(10):
            seen = await refused(edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S))
            assert (seen.code, seen.reason, seen.retry_ms) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 1000)
        assert sample(edge, "billing_shed_total") == 10
        assert sample(edge, "billing_in_flight") == 3
        gate.open.set()
        assert [(await call).transaction_id for call in accepted] == ["txn_1"] * 3
        assert (await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)).transaction_id == "txn_1"
        assert sample(edge, "billing_in_flight") == 0


async def test_answers_go_out_as_messages_or_as_bytes():
    async def as_bytes(_request, _call):
        return ANSWER.SerializeToString()

    async def as_message(request, call):
        assert request == REQUEST
        assert (call.caller, call.key_id, call.method, Scope.DEDUCT in call.scopes) == (
            "local",
            "",
            "DeductCredits",
            True,
        )
        assert call.peer.startswith("ipv4:127.0.0.1:")
        return ANSWER

    for implementation in (as_bytes, as_message):
        async with edge_server({"DeductCredits": implementation}) as edge:
            assert await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S) == ANSWER


async def test_hot_methods_are_counted_and_what_goes_wrong_is_logged_like_all_of_the_others():
    refusal = Refusal(Reason.INSUFFICIENT_CREDITS, "short")
    failure = Failure(Reason.STORAGE_UNAVAILABLE, "down")
    outcomes = [ANSWER, refusal, failure, failure]

    async def implementation(_request, _call):
        outcome = outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def run(*, log_hot_calls: bool) -> list[tuple[str, str]]:
        async with edge_server({"DeductCredits": implementation}, log_hot_calls=log_hot_calls) as edge:
            await edge.stub.GetAccount(accounts_pb2.GetAccountRequest(), timeout=TIMEOUT_S)
            for expected in list(outcomes):
                call = edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)
                await (refused(call) if isinstance(expected, Exception) else call)
                outcomes.append(outcomes.pop(0))
            labels = {"grpc_service": BILLING.full_name, "grpc_method": "DeductCredits"}
            assert sample(edge, "grpc_server_started_total", **labels) == 4
            assert sample(edge, "grpc_server_handled_total", **labels, grpc_code="OK") == 1
            assert sample(edge, "grpc_server_handled_total", **labels, grpc_code="FailedPrecondition") == 1
            assert sample(edge, "grpc_server_handled_total", **labels, grpc_code="Unavailable") == 2
            assert sample(edge, "grpc_server_handling_seconds_count", **labels) == 4
            assert sample(edge, "grpc_server_handling_seconds_bucket", **labels, le="+Inf") == 4
            return [(line["method"], line["level"], line["code"]) for line in edge.log.rpcs()]

    account, failed = ("GetAccount", "info", "OK"), ("DeductCredits", "warning", "Unavailable")
    declined = ("DeductCredits", "info", "FailedPrecondition")
    assert await run(log_hot_calls=False) == [account, declined, failed]
    assert await run(log_hot_calls=True) == [account, ("DeductCredits", "debug", "OK"), declined, failed]


def test_a_method_without_scope_fails_when_the_server_is_built():
    file = descriptor_pb2.FileDescriptorProto(name="toy/toy.proto", package="toy", syntax="proto3")
    file.message_type.add(name="Empty")
    service = file.service.add(name="Toy")
    service.method.add(name="Open", input_type=".toy.Empty", output_type=".toy.Empty")
    service.method.add(name="Flow", input_type=".toy.Empty", output_type=".toy.Empty", server_streaming=True)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    toy = pool.FindServiceByName("toy.Toy")
    with pytest.raises(ValueError, match=r"toy\.Toy\.Open declares no required_scope"):
        build_handler(toy.methods_by_name["Open"], raising(RuntimeError()), None)
    with pytest.raises(ValueError, match=r"toy\.Toy\.Flow is a streaming method"):
        build_handler(toy.methods_by_name["Flow"], raising(RuntimeError()), None)


def test_scopes_come_from_the_protos():
    scopes = {method.name: required_scope(method) for method in BILLING.methods}
    assert (scopes["DeductCredits"], scopes["Refund"], scopes["GetBalance"]) == (Scope.DEDUCT, Scope.REFUND, Scope.READ)


async def test_a_service_that_does_not_fit_its_proto_does_not_start():
    class Servicer:
        async def process_stripe_event(self, _request, _call):
            return b""

        get_checkout_status = process_stripe_event

    assert set(Service.of(STRIPE_EVENTS, Servicer()).implementations) == {"ProcessStripeEvent", "GetCheckoutStatus"}
    with pytest.raises(AttributeError, match="create_account"):
        Service.of(BILLING, Servicer())
    with pytest.raises(ValueError, match="Bogus"):
        async with edge_server({"Bogus": raising(RuntimeError())}):
            pass
