"""What the log says of calls: every call of most methods, of hot ones what went wrong; what it was about and did, in no
person's words."""

import asyncio
import re

import grpc
import pytest
import structlog
from prepaid.billing.v1 import accounts_pb2, purchases_pb2, refunds_pb2, transactions_pb2

from billing_service.api import call_log, pipeline
from billing_service.api.server import ServerLimits
from billing_service.domain.refusals import Failure, Reason, Refusal
from tests.api.edge_server import (
    ANSWER,
    BILLING,
    REQUEST,
    TIMEOUT_S,
    Gate,
    edge_server,
    eventually,
    raising,
    refused,
    sample,
)

SHORT = Refusal(
    Reason.INSUFFICIENT_CREDITS, "short", metadata={"shortfall_microcredits": 3, "idempotency_key": "canary"}
)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


async def test_a_write_says_what_it_did():
    reversed_ = transactions_pb2.ReverseDeductionResponse(
        transaction_id="txn_2", reversed_microcredits=5, replayed=True
    )
    reversed_.balance.available_microcredits = 12
    sold = purchases_pb2.CancelPurchaseResponse(
        purchase={"purchase_id": "pur_1", "account_id": "ada", "client_secret": "canary"}
    )
    sold.purchase.status = purchases_pb2.PURCHASE_STATUS_EXPIRED

    async def reverse(_request, call):
        call.note({"note": "as noted", "reversed_microcredits": 6})
        return reversed_.SerializeToString()

    async def cancel(_request, _call):
        return sold

    async with edge_server({"ReverseDeduction": reverse, "CancelPurchase": cancel}) as edge:
        request = transactions_pb2.ReverseDeductionRequest(
            account_id="ada", transaction_id="txn_1", reason="canary", idempotency_key="canary"
        )
        await edge.stub.ReverseDeduction(request, timeout=TIMEOUT_S)
        await edge.stub.CancelPurchase(purchases_pb2.CancelPurchaseRequest(purchase_id="pur_1"), timeout=TIMEOUT_S)
        reverse_line, cancel_line = edge.log.rpcs()
    did = {"account_id": "ada", "reversed_transaction_id": "txn_1", "transaction_id": "txn_2", "replayed": True}
    assert (
        reverse_line.items()
        >= {**did, "balance_available_microcredits": 12, "note": "as noted", "reversed_microcredits": 6}.items()
    )
    assert (
        cancel_line.items()
        >= {"level": "info", "account_id": "ada", "purchase_id": "pur_1", "status": "EXPIRED"}.items()
    )
    assert "canary" not in f"{reverse_line} {cancel_line}"


async def test_a_read_says_what_was_asked_for_alone():
    answer = accounts_pb2.GetAccountResponse(account={"account_id": "ada", "email": "canary", "frozen": True})

    async def get(_request, _call):
        return answer

    async with edge_server({"GetAccount": get}) as edge:
        await edge.stub.GetAccount(accounts_pb2.GetAccountRequest(account_id="ada"), timeout=TIMEOUT_S)
        (line,) = edge.log.rpcs()
    assert line.keys() == {
        "level",
        "event",
        "method",
        "code",
        "account_id",
        "caller",
        "peer",
        "duration_ms",
        "correlation_id",
    }


@pytest.mark.parametrize("method", ["Refund", "DeductCredits"])
async def test_what_was_refused_says_why_and_of_what(method):
    of = {"Refund": refunds_pb2.RefundRequest(purchase_id="pur_1", reason="canary"), "DeductCredits": REQUEST}[method]
    async with edge_server({method: raising(SHORT)}) as edge:
        await refused(getattr(edge.stub, method)(of, timeout=TIMEOUT_S))
        (line,) = edge.log.rpcs()
    subject = {"purchase_id": "pur_1"} if method == "Refund" else {"account_id": "acct-1", "amount_microcredits": 5}
    why = {"reason": "INSUFFICIENT_CREDITS", "message": "short", "shortfall_microcredits": "3"}
    assert line.items() >= {"level": "info", "code": "FailedPrecondition", **subject, **why}.items()
    assert "canary" not in repr(line)


@pytest.mark.parametrize(("method", "expected"), [("Refund", 50), ("DeductCredits", 20)])
async def test_a_storm_of_refusals_floods_the_log_of_no_hot_method(monkeypatch, method, expected):
    now = [100.0]
    monkeypatch.setattr(call_log, "monotonic", lambda: now[0])
    request = {"Refund": refunds_pb2.RefundRequest(), "DeductCredits": REQUEST}[method]
    async with edge_server({method: raising(SHORT)}) as edge:
        for _ in range(50):
            await refused(getattr(edge.stub, method)(request, timeout=TIMEOUT_S))
        assert len(edge.log.rpcs()) == expected
        now[0] += 1
        await refused(getattr(edge.stub, method)(request, timeout=TIMEOUT_S))
        assert edge.log.rpcs()[-1].get("left_out", 0) == 50 - expected
        assert sample(edge, "billing_refusals_total", reason="INSUFFICIENT_CREDITS") == 51


async def test_what_failed_of_a_hot_method_is_logged_once_a_second_for_each_reason(monkeypatch):
    now, failures = [100.0], [Failure(Reason.STORAGE_UNAVAILABLE, "down"), Failure(Reason.CONFLICT, "busy")]
    monkeypatch.setattr(call_log, "monotonic", lambda: now[0])

    async def fail(_request, _call):
        failures.append(failures.pop(0))
        raise failures[-1]

    async with edge_server({"GetBalance": fail}, log_hot_calls=True) as edge:
        for _ in range(2):
            for _ in range(6):
                await refused(edge.stub.GetBalance(accounts_pb2.GetBalanceRequest(account_id="ada"), timeout=TIMEOUT_S))
            now[0] += 1
        lines = [(line["level"], line["reason"], line["account_id"], line.get("left_out")) for line in edge.log.rpcs()]
    first = [("warning", "STORAGE_UNAVAILABLE", "ada", None), ("warning", "CONFLICT", "ada", None)]
    assert lines == [*first, *[(*line[:3], 2) for line in first]]


@pytest.mark.parametrize("method", ["DeductCredits", "GetAccount"])
async def test_a_call_that_took_long_is_always_logged(monkeypatch, method):
    monkeypatch.setattr(pipeline, "SLOW_S", 0.0)
    monkeypatch.setattr(call_log, "SLOW_S", 0.0)
    request = REQUEST if method == "DeductCredits" else accounts_pb2.GetAccountRequest(account_id="ada")
    async with edge_server() as edge:
        await getattr(edge.stub, method)(request, timeout=TIMEOUT_S)
        (line,) = edge.log.rpcs()
    assert line.items() >= {"level": "info", "method": method, "code": "OK", "slow": True}.items()


async def test_a_stream_that_lives_long_is_not_slow(monkeypatch):
    monkeypatch.setattr(call_log, "SLOW_S", 0.0)
    async with edge_server(log_hot_calls=True) as edge:
        call = edge.stub.StreamDeductions()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        await eventually(edge.log.rpcs)
        assert [(line["level"], "slow" in line) for line in edge.log.rpcs()] == [("debug", False)]


async def test_a_caller_that_could_not_wait_is_logged_though_its_method_is_hot():
    gate = Gate()
    async with edge_server({"DeductCredits": gate.wait}, limits=ServerLimits(grace_s=0.1)) as edge:
        call = edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)
        await gate.entered.acquire()
        call.cancel()
        await eventually(edge.log.rpcs)
        (line,) = edge.log.rpcs()
    assert line.items() >= {"level": "info", "code": "Canceled", "account_id": "acct-1"}.items()


async def test_bytes_that_are_no_request_are_logged_without_a_subject():
    async with edge_server() as edge:
        call = edge.channel.unary_unary(f"/{BILLING.full_name}/Refund")
        await refused(call(b"\xff", timeout=TIMEOUT_S))
        (line,) = edge.log.rpcs()
    assert line.items() >= {"level": "info", "reason": "INVALID_FIELD", "method": "Refund"}.items()
    assert "purchase_id" not in line


@pytest.mark.parametrize(
    ("sent", "correlation_id", "trace_id"),
    [
        ((("x-request-id", "mine"),), "mine", None),
        ((("x-request-id", "mine"), ("traceparent", PARENT)), "mine", TRACE),
        ((("traceparent", PARENT),), TRACE, None),
        ((("x-request-id", "not sane"), ("traceparent", "neither")), None, None),
        ((), None, None),
    ],
)
async def test_a_call_has_the_id_that_its_caller_gave_it(sent, correlation_id, trace_id):
    async with edge_server() as edge:
        await edge.stub.GetAccount(accounts_pb2.GetAccountRequest(), timeout=TIMEOUT_S, metadata=sent)
        (line,) = edge.log.rpcs()
    assert line.get("trace_id") == trace_id
    assert (
        line["correlation_id"] == correlation_id
        if correlation_id
        else re.fullmatch("[0-9a-f]{16}", line["correlation_id"])
    )


async def test_all_that_is_logged_in_a_call_has_its_id_and_nothing_after_it_has():
    seen = {}

    async def look(request, _call):
        await asyncio.sleep(0)
        seen[request.account_id] = structlog.contextvars.get_contextvars().get("correlation_id")
        return accounts_pb2.GetAccountResponse() if isinstance(request, accounts_pb2.GetAccountRequest) else ANSWER

    async with edge_server({"GetAccount": look, "DeductCredits": look}) as edge:
        calls = [
            edge.stub.GetAccount(
                accounts_pb2.GetAccountRequest(account_id=name), timeout=TIMEOUT_S, metadata=(("x-request-id", name),)
            )
            for name in ("one", "two", "three")
        ]
        await asyncio.gather(*calls)
        await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S, metadata=(("x-request-id", "hot"),))
    assert seen == {"one": "one", "two": "two", "three": "three", "acct-1": None}
    assert not structlog.contextvars.get_contextvars()
