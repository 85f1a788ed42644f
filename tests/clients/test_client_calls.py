"""What goes over the wire for one logical call: key, retries, deadline, credentials."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from billing_client import AsyncBillingClient, DeductionMode, errors
from billing_client.asynchronous import connection

from tests.support.fake_service import METHODS, Hang

PROTOS = Path(__file__).parents[2] / "protos/prepaid/billing/v1"


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
async def test_a_timeout_that_is_none_is_refused_before_anything_is_sent(call, service, timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        await call("get_balance", account_id="a", timeout_s=timeout_s)
    assert service.attempts == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create_purchase", {"account_id": "a"}),
        ("create_purchase", {"account_id": "a", "package_code": "starter", "custom_amount_minor": 100}),
        ("get_purchase", {}),
        ("get_purchase", {"purchase_id": "pur_1", "checkout_session_id": "cs_1"}),
        ("deduct_credits", {"account_id": "a", "amount_microcredits": 2**63}),
        (
            "grant_credits",
            {"account_id": "a", "amount_microcredits": 1, "reason": "r", "expire_time": datetime(2030, 1, 1)},  # noqa: DTZ001
        ),
    ],
)
async def test_arguments_that_can_not_be_meant_are_refused_before_anything_is_sent(call, service, method, arguments):
    with pytest.raises(ValueError):  # noqa: PT011 - protobuf words its own
        await call(method, **arguments)
    assert service.attempts == []


async def test_credits_are_never_a_float(call, service):
    with pytest.raises(TypeError):
        await call("deduct_credits", account_id="a", amount_microcredits=1.5)
    assert service.attempts == []


async def test_a_passed_deadline_is_an_unknown_outcome(call, service):
    service.script = [Hang()]
    with pytest.raises(errors.OutcomeUnknown) as raised:
        await call("deduct_credits", account_id="a", amount_microcredits=5, idempotency_key="mine", timeout_s=0.2)
    assert (raised.value.status, raised.value.idempotency_key) == (grpc.StatusCode.DEADLINE_EXCEEDED, "mine")
    assert (type(raised.value), len(service.attempts)) == (errors.OutcomeUnknown, 1)


async def test_an_empty_key_is_the_services_to_refuse_never_replaced(call, service):
    await call("deduct_credits", account_id="a", amount_microcredits=1, idempotency_key="")
    assert service.attempts[0].request.idempotency_key == ""


async def test_every_logical_call_gets_a_key_of_its_own(call, service):
    for _ in range(3):
        await call("deduct_credits", account_id="a", amount_microcredits=1)
    assert len({attempt.request.idempotency_key for attempt in service.attempts}) == 3


async def test_the_api_key_travels_as_bearer(call, service):
    await call("get_balance", account_id="a", api_key="bill_test_key")
    await call("get_balance", account_id="a")
    assert [attempt.metadata.get("authorization") for attempt in service.attempts] == ["Bearer bill_test_key", None]


@pytest.mark.parametrize(
    ("method", "arguments", "expected_s"),
    [
        ("get_balance", {"account_id": "a"}, 5),
        ("refund", {"purchase_id": "pur_1"}, 30),
        ("verify_ledger", {}, 300),
        ("re_rate", {"to_rate_card_version": "v", "start_time": None, "end_time": None}, 60),
        ("verify_ledger", {"timeout_s": 7}, 7),
    ],
)
async def test_every_call_has_a_deadline(call, service, method, arguments, expected_s):
    await call(method, **arguments)
    # gRPC rounds long time limits up on the wire.
    assert expected_s - 3 < service.attempts[0].time_remaining_s < expected_s * 1.01 + 0.1


async def test_a_request_says_what_was_asked(call, service):
    await call(
        "deduct_credits",
        account_id="acct",
        amount_microcredits=7,
        mode=DeductionMode.DEDUCTION_MODE_ALLOW_DEBT,
        description="words",
        metadata={"model": "m"},
        idempotency_key="k",
    )
    request = service.attempts[0].request
    assert (
        request.account_id,
        request.amount_microcredits,
        request.mode,
        request.description,
        dict(request.metadata),
    ) == (
        "acct",
        7,
        DeductionMode.DEDUCTION_MODE_ALLOW_DEBT,
        "words",
        {"model": "m"},
    )


async def test_what_is_absent_stays_absent(call, service):
    await call("refund", purchase_id="pur_1")
    await call("refund", purchase_id="pur_1", amount_minor=0)
    await call("grant_credits", account_id="a", amount_microcredits=1, reason="r")
    await call(
        "grant_credits",
        account_id="a",
        amount_microcredits=1,
        reason="r",
        priority=0,
        expire_time=datetime(2030, 1, 1, tzinfo=UTC),
    )
    requests = [attempt.request for attempt in service.attempts]
    assert [requests[0].HasField("amount_minor"), requests[1].HasField("amount_minor")] == [False, True]
    assert [requests[2].HasField("priority"), requests[2].HasField("expire_time")] == [False, False]
    assert [requests[3].HasField("priority"), requests[3].expire_time.seconds] == [True, 1893456000]


@pytest.mark.parametrize(
    ("health", "expected"),
    [(b"\x08\x01", True), (b"\x08\x02", False), (b"", False), (grpc.StatusCode.UNIMPLEMENTED, False)],
)
async def test_health_is_what_the_service_says_of_itself(call, service, health, expected):
    service.health = health
    assert await call("is_serving") is expected


def test_the_fake_knows_the_whole_contract():
    declared = [
        line.split()[1].split("(")[0]
        for proto in PROTOS.glob("*.proto")
        for line in proto.read_text().splitlines()
        if line.startswith("  rpc ")
    ]
    assert sorted(method.name for method in METHODS.values()) == sorted(declared)


async def test_a_call_that_looks_for_the_service_outlives_the_replacement_of_its_channel(service, monkeypatch):
    """Files of credentials may change meanwhile."""
    reach = connection._Stubs.reach

    async def replaced_meanwhile(stubs, timeout_s):
        serves = await reach(stubs, timeout_s)
        for loop in client._loops.values():
            loop.retire(list(loop.stubs))
        await asyncio.sleep(0)
        return serves

    monkeypatch.setattr(connection._Stubs, "reach", replaced_meanwhile)
    async with AsyncBillingClient(service.address) as client:
        for _ in range(3):
            await client.get_balance(account_id="a")
    assert len(service.attempts) == 3
