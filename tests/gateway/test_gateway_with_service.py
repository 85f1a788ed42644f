"""The gateway before the real service: 2xx only for what the inbox has."""

import asyncio
import time

import pytest
from billing_client import ClientOptions, StripeEventStatus, errors
from billing_client.stripe_signature import SignatureInvalid, verify

from billing_service.testing import running_billing_service_async
from tests.gateway.gateway_bench import event, gateway_config, raw_delivery, send_raw, signature, status_of
from webhook_gateway.run import serve_gateway


@pytest.fixture
def system_now_s():
    """The service judges freshness by the system's clock."""
    return int(time.time())


@pytest.fixture
async def service(tmp_path):
    async with running_billing_service_async(tmp_path / "billing.db") as running:
        yield running


def config_for(service, now_s):
    return gateway_config(
        secrets=(service.webhook_secret,), billing=ClientOptions(address=service.address), now_s=lambda: now_s
    )


async def deliver(url, body, secret, now_s):
    head = raw_delivery(body, f"Content-Length: {len(body)}").replace(
        signature(body).encode(), signature(body, secret, now_s).encode()
    )
    return await send_raw(url, head + body)


async def test_an_event_is_in_the_inbox_once_when_it_was_answered(service, system_now_s):
    body = event(id="evt_unknown", type="something.new", livemode=False, created=system_now_s, data={"object": {}})
    async with serve_gateway(config_for(service, system_now_s)) as url, service.async_client() as client:
        first, *again = [await deliver(url, body, service.webhook_secret, system_now_s) for _ in range(3)]
        listed = [item async for item in client.iter_stripe_events(include_payload=True)]
    assert [status_of(answer) for answer in (first, *again)] == [200] * 3
    assert b"IGNORED" in first
    assert all(b"DUPLICATE" in answer or b"IGNORED" in answer for answer in again)
    assert [(item.event_id, item.status, item.payload) for item in listed] == [
        ("evt_unknown", StripeEventStatus.STRIPE_EVENT_STATUS_IGNORED, body)
    ]


async def test_the_largest_body_that_the_gateway_takes_is_taken_by_the_service(service, system_now_s):
    config = config_for(service, system_now_s)
    body = event(id="evt_large", type="something.new", livemode=False, created=system_now_s, data={"object": {}})
    body += b" " * (config.body_bytes_max - len(body))
    async with serve_gateway(config) as url:
        assert status_of(await deliver(url, body, service.webhook_secret, system_now_s)) == 200


async def test_fifty_deliveries_of_one_event_at_once_are_one_row(service, system_now_s):
    body = event(id="evt_once", type="something.new", livemode=False, created=system_now_s, data={"object": {}})
    async with serve_gateway(config_for(service, system_now_s)) as url, service.async_client() as client:
        answers = await asyncio.gather(*(deliver(url, body, service.webhook_secret, system_now_s) for _ in range(50)))
        listed = [item.event_id async for item in client.iter_stripe_events()]
    assert {status_of(answer) for answer in answers} == {200}
    assert listed == ["evt_once"]


async def test_the_service_checks_the_signature_itself(service, system_now_s):
    """A stolen gateway key forges nothing."""
    async with service.async_client() as client:
        for secret, timestamp in (("whsec_" + "f" * 32, system_now_s), (service.webhook_secret, system_now_s - 1000)):
            body = event(id="evt_forged")
            with pytest.raises(SignatureInvalid):
                verify(body, signature(body, secret, timestamp), [service.webhook_secret], system_now_s)
            with pytest.raises(errors.SignatureRejected):
                await client.process_stripe_event(payload=body, stripe_signature=signature(body, secret, timestamp))
        assert [item async for item in client.iter_stripe_events()] == []


async def test_a_service_that_is_gone_is_a_503_and_the_next_delivery_counts(tmp_path, system_now_s):
    body = event(id="evt_later", type="something.new", livemode=False, created=system_now_s, data={"object": {}})
    settings = {"STRIPE_WEBHOOK_SECRET": "whsec_" + "service-that-is-gone-0123"}
    async with running_billing_service_async(tmp_path / "billing.db", settings) as service:
        config = config_for(service, system_now_s)
    config.forward_timeout_s = 1
    async with serve_gateway(config) as url:
        assert status_of(await deliver(url, body, config.secrets[0], system_now_s)) == 503
        async with running_billing_service_async(
            tmp_path / "billing.db", settings | {"BILLING_LISTEN": service.address}
        ) as again:
            while status_of(await deliver(url, body, config.secrets[0], system_now_s)) != 200:
                pass  # until gRPC's reconnection, at most two seconds later
            async with again.async_client() as client:
                assert [item.event_id async for item in client.iter_stripe_events()] == ["evt_later"]
