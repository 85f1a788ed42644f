"""Headers travel with a call, and never in place of the API key."""

import asyncio

import pytest
from billing_client import AsyncBillingClient, BillingClient, ClientOptions

from tests.clients.scripted_deductions import CLIENTS, answering, deduction

BAD = [
    ({"authorization": "Bearer canary"}, "authorization"),
    ({"Authorization": "Bearer canary"}, "authorization"),
    ({"AUTHORIZATION": "canary"}, "authorization"),
    ({"grpc-timeout": "canary"}, "grpc-timeout"),
    ({"grpc-status-details-bin": b"canary"}, "grpc-status-details-bin"),
    ({"content-type": "canary"}, "content-type"),
    ({"user-agent": "canary"}, "user-agent"),
    ({"te": "canary"}, "te"),
    ({"host": "canary"}, "host"),
    ({":authority": "canary"}, "authority"),
    ({"": "canary"}, "name"),
    ({"two words": "canary"}, "two words"),
    ({"näme": "canary"}, "näme"),
    ({"x" * 129: "canary"}, "xxx"),
    ({"x-request-id": "canary\n"}, "x-request-id"),
    ({"x-request-id": "canäry"}, "x-request-id"),
    ({"x-request-id": b"canary"}, "x-request-id"),
    ({"x-request-bin": "canary"}, "x-request-bin"),
    ({"x-a": "canary", "X-A": "canary"}, "x-a"),
]


@pytest.mark.parametrize(("headers", "named"), BAD, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_header_that_can_not_travel_is_refused_before_anything_is_sent(call, service, headers, named):
    for given in ({"headers": headers}, {"client_headers": headers}):
        with pytest.raises(ValueError, match="headers: ") as raised:
            await call("get_balance", account_id="a", api_key="bill_test_key", **given)
        assert named in str(raised.value)
        assert "canary" not in str(raised.value)
    assert service.attempts == []


async def test_headers_of_the_client_and_of_the_call_travel_beside_the_key(call, service):
    standing = {"X-Request-Id": "standing", "tracestate": "a=1"}
    own = {"x-request-id": "own", "traceparent": "00-1-2-01", "x-raw-bin": b"\x00\xff"}
    await call("get_balance", account_id="a", api_key="bill_test_key", client_headers=standing, headers=own)
    await call("get_balance", account_id="a", api_key="bill_test_key", client_headers=standing)
    await call("get_balance", account_id="a", headers=own)
    both, first, second = (
        {
            name: attempt.metadata.get(name)
            for name in ("authorization", "x-request-id", "traceparent", "tracestate", "x-raw-bin")
        }
        for attempt in service.attempts
    )
    key = "Bearer bill_test_key"
    assert both == {"authorization": key, "tracestate": "a=1", **own}
    assert first == {
        "authorization": key,
        "x-request-id": "standing",
        "tracestate": "a=1",
        "traceparent": None,
        "x-raw-bin": None,
    }
    assert second == {"authorization": None, "tracestate": None, **own}
    assert service.attempts[0].metadata["user-agent"].startswith("prepaid-billing-client/")


async def test_every_attempt_and_every_page_carries_them(call, service):
    for method in (
        "iter_accounts",
        "iter_transactions",
        "iter_purchases",
        "iter_stripe_events",
        "iter_audit_records",
        "iter_rate_cards",
    ):
        arguments = {"account_id": "a"} if method in {"iter_transactions", "iter_purchases"} else {}
        with BillingClient(service.address) as client:
            await asyncio.to_thread(
                lambda name=method, given=arguments: list(getattr(client, name)(**given, headers={"x-request-id": "r"}))
            )
        async with AsyncBillingClient(service.address) as client:
            assert [item async for item in getattr(client, method)(**arguments, headers={"x-request-id": "r"})] == []
    await call("batch_deduct_credits", deductions=[], headers={"x-request-id": "r"})
    assert {attempt.metadata["x-request-id"] for attempt in service.attempts} == {"r"}
    assert len(service.attempts) == 13


@pytest.mark.parametrize("kind", CLIENTS)
async def test_a_stream_carries_them_on_each_connection(kind, service):
    answering(service)
    options = {"headers": {"x-request-id": "r"}}
    if kind == "blocking":

        def run():
            with (
                BillingClient(service.address, headers={"x-team": "t"}) as client,
                client.stream_deductions(**options) as stream,
            ):
                stream.send(deduction()).result(20)

        await asyncio.to_thread(run)
    else:
        async with (
            AsyncBillingClient(service.address, headers={"x-team": "t"}) as client,
            client.stream_deductions(**options) as stream,
        ):
            await (await stream.send(deduction()))
    assert [(metadata["x-request-id"], metadata["x-team"]) for metadata in service.stream_metadata] == [("r", "t")]


def test_options_do_not_print_headers():
    assert "canary" not in repr(ClientOptions(headers={"x-token": "canary"}))
    assert ClientOptions.from_env({}) == ClientOptions(headers={})
    assert hash(ClientOptions(headers={"a": "b"})) == hash(ClientOptions())
