"""The gateway with its real client, and what operators see of it."""

import asyncio
import json
import socket
from urllib.request import urlopen

import grpc
import structlog
from billing_client import ClientOptions
from prepaid.billing.v1.stripe_events_pb2 import STRIPE_EVENT_OUTCOME_DUPLICATE, ProcessStripeEventResponse

from tests.gateway.gateway_bench import PATH, event, gateway_config, raw_delivery, send_raw, signature, status_of
from tests.support.fake_service import Answer, Hang, running_fake_service
from webhook_gateway.metrics import serving_metrics
from webhook_gateway.run import serve_gateway

GOOD = event()
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


async def deliver(url, body=GOOD):
    return await send_raw(url, raw_delivery(body, f"Content-Length: {len(body)}", path=f"{PATH}?query=canary") + body)


async def test_a_dead_service_is_a_503_and_not_serving():
    config = gateway_config(billing=ClientOptions(address="127.0.0.1:1"), forward_timeout_s=2)
    async with serve_gateway(config) as url:
        assert status_of(await deliver(url)) == 503
        assert status_of(await send_raw(url, HEALTH)) == 503


async def test_a_service_that_does_not_answer_in_time_is_a_503():
    with running_fake_service() as billing:
        billing.script = [Hang()]
        config = gateway_config(billing=ClientOptions(address=billing.address), forward_timeout_s=0.3)
        async with serve_gateway(config) as url:
            assert status_of(await deliver(url)) == 503


async def test_the_services_refusal_of_the_signature_is_a_400():
    with running_fake_service() as billing:
        billing.script = [Answer(grpc.StatusCode.INVALID_ARGUMENT, "SIGNATURE_INVALID")]
        async with serve_gateway(gateway_config(billing=ClientOptions(address=billing.address))) as url:
            assert status_of(await deliver(url)) == 400


async def test_a_delivery_reaches_the_service_with_the_gateways_key_and_survives_one_restart():
    with running_fake_service() as billing:
        billing.script = [
            Answer(grpc.StatusCode.UNAVAILABLE),
            ProcessStripeEventResponse(outcome=STRIPE_EVENT_OUTCOME_DUPLICATE),
        ]
        config = gateway_config(billing=ClientOptions(address=billing.address, api_key="bill_test_key"))
        async with serve_gateway(config) as url:
            answer = await deliver(url)
            assert status_of(await send_raw(url, HEALTH)) == 200
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"success": True, "received": True, "outcome": "DUPLICATE"}
    first, second = billing.attempts
    assert first.request == second.request
    assert (first.request.payload, first.request.stripe_signature) == (GOOD, signature(GOOD))
    assert first.metadata["authorization"] == "Bearer bill_test_key"


async def test_the_log_has_one_line_for_each_request_without_query_headers_or_body(service):
    body = event(data={"object": "canary"})
    with structlog.testing.capture_logs() as lines:
        async with serve_gateway(gateway_config(), service=service) as url:
            await deliver(url, body)
            await send_raw(
                url, b"POST /nowhere?canary=1 HTTP/1.1\r\nHost: canary\r\nCookie: canary\r\nConnection: close\r\n\r\n"
            )
    assert "canary" not in repr(lines)
    assert "v1=" not in repr(lines)
    assert [(line["event"], line["path"], line["status"], line["event_id"]) for line in lines] == [
        ("answered", PATH, 200, "evt_1"),
        ("answered", "/nowhere", 404, None),
    ]


async def test_a_request_that_can_not_be_parsed_leaves_nothing_of_itself_in_the_log(service, caplog, capsys):
    with structlog.testing.capture_logs() as lines:
        async with serve_gateway(gateway_config(), service=service) as url:
            for request in (
                b"POST / HTTP/1.1\r\nHost: g\r\nStripe-Signature: canary\x01\r\n\r\n",
                raw_delivery(GOOD, "Transfer-Encoding: chunked") + b"canary\r\n",
            ):
                assert status_of(await send_raw(url, request)) == 400
    assert {(line["event"], line["error"]) for line in lines if line["event"] == "http_error"} == {
        ("http_error", "BadHttpMessage")
    }
    assert "canary" not in repr(lines) + caplog.text + "".join(capsys.readouterr())


async def test_answers_are_counted_on_a_port_of_their_own(service):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving_metrics(None), serving_metrics(port):
        async with serve_gateway(gateway_config(), service=service) as url:
            await deliver(url)
            assert (
                status_of(await send_raw(url, b"GET /metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")) == 404
            )

        def scrape():
            with urlopen(f"http://127.0.0.1:{port}/metrics") as page:
                return page.read().decode()

        assert 'webhook_gateway_answers_total{code="processed",status="200"}' in await asyncio.to_thread(scrape)
