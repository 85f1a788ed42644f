"""What the gateway forwards, and what it answers."""

import asyncio
import json
from datetime import UTC, datetime

import grpc
import pytest
from prepaid.billing.v1.stripe_events_pb2 import StripeEventOutcome

from tests.gateway.gateway_bench import (
    GOOD,
    NOW_S,
    OTHER_SECRET,
    PATH,
    SECRET,
    gateway_config,
    raw_delivery,
    send_raw,
    signature,
    signed,
    status_of,
)
from webhook_gateway.answers import HTTP_STATUS
from webhook_gateway.config import PATHS_DEFAULT
from webhook_gateway.run import serve_gateway

BOTH, NEITHER = "both", "whsec_" + "neither-of-the-gateway-tests"
"""Names of signatures beside those of one secret."""


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_largest_body_is_forwarded_in_both_framings(http, service, config, chunked):
    body = GOOD + b" " * (config.body_bytes_max - len(GOOD))

    async def chunks():
        yield body[:100_000]
        yield body[100_000:]

    async with http.post(PATH, data=chunks() if chunked else body, headers=signed(body)) as answer:
        assert answer.status == 200
    assert [call["payload"] for call in service.calls] == [body]


def test_every_status_has_an_answer():
    assert set(HTTP_STATUS) == set(grpc.StatusCode)
    assert [status for status, answer in HTTP_STATUS.items() if answer == 200] == [grpc.StatusCode.OK]
    assert [status for status, answer in HTTP_STATUS.items() if answer == 400] == [grpc.StatusCode.INVALID_ARGUMENT]
    assert set(HTTP_STATUS.values()) == {200, 400, 503}


@pytest.mark.parametrize("status", grpc.StatusCode)
async def test_the_answer_is_made_from_the_services(http, service, status):
    service.status = status
    async with http.post(PATH, data=GOOD, headers=signed(GOOD)) as answer:
        assert answer.status == HTTP_STATUS[status]
        text = await answer.text()
        assert ("Retry-After" in answer.headers) == (answer.status == 503)
    assert "canary" not in text
    assert len(service.calls) == 1


async def test_a_defect_shows_nothing_and_asks_for_another_delivery(http, service):
    service.status = RuntimeError("canary")
    async with http.post(PATH, data=GOOD, headers=signed(GOOD)) as answer:
        assert (answer.status, await answer.json()) == (500, {"error": "internal"})


@pytest.mark.parametrize("path", PATHS_DEFAULT)
async def test_a_good_delivery_is_forwarded_as_it_came(http, service, path):
    body = json.dumps(
        {"type": "é", "id": "evt_1", "object": "event", "livemode": True}, ensure_ascii=False, indent=3
    ).encode()
    async with http.post(f"{path}?a=1", data=body, headers=signed(body)) as answer:
        assert (answer.status, await answer.json()) == (
            200,
            {"success": True, "received": True, "outcome": "PROCESSED"},
        )
        request_id = answer.headers["x-request-id"]
    assert service.calls == [
        {
            "payload": body,
            "stripe_signature": signature(body),
            "received_time": datetime.fromtimestamp(NOW_S, UTC),
            "timeout_s": 5.0,
            "headers": {"x-request-id": request_id},
        }
    ]


@pytest.mark.parametrize("outcome", [number for number in StripeEventOutcome.values() if number])
async def test_whatever_became_of_the_event_it_was_received(http, service, outcome):
    service.outcome = outcome
    async with http.post(PATH, data=GOOD, headers=signed(GOOD)) as answer:
        assert answer.status == 200
        assert "STRIPE_EVENT_OUTCOME_" + (await answer.json())["outcome"] == StripeEventOutcome.Name(outcome)


async def test_more_paths_may_be_set(service):
    async with serve_gateway(gateway_config(paths=("/mine",)), service=service) as url:
        answer = await send_raw(url, raw_delivery(GOOD, f"Content-Length: {len(GOOD)}", path="/mine") + GOOD)
    assert status_of(answer) == 200


async def test_health_tells_whether_the_service_answers_and_asks_it_once_a_second(http, service):
    service.serving = False
    answers = await asyncio.gather(*(http.get("/healthz") for _ in range(20)))
    assert {answer.status for answer in answers} == {503}
    assert service.health_checks == 1
    for answer in answers:
        answer.close()


async def test_health_follows_the_service(service, monkeypatch):
    monkeypatch.setattr("webhook_gateway.health.FRESH_S", 0.0)
    async with serve_gateway(gateway_config(), service=service) as url:
        for serving, status in ((True, 200), (False, 503), (True, 200)):
            service.serving = serving
            answer = await send_raw(url, b"GET /healthz HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
            assert status_of(answer) == status


async def test_secrets_rotate_under_load_without_a_loss(http, service, config):
    """Both directions: no good delivery refused, and none accepted by a secret that is gone."""
    both = f"{signature(GOOD)},{signature(GOOD, OTHER_SECRET).partition(',')[2]}"
    deliveries = {secret: signed(GOOD, secret) for secret in (SECRET, OTHER_SECRET, NEITHER)} | {
        BOTH: {"Stripe-Signature": both}
    }

    async def statuses(secret, count=20):
        async def deliver():
            async with http.post(PATH, data=GOOD, headers=deliveries[secret]) as answer:
                return answer.status

        return set(await asyncio.gather(*(deliver() for _ in range(count))))

    async def under_load(secret):
        """What comes with the given secret, with both in one header and with neither, while secrets are replaced."""
        return await asyncio.gather(statuses(secret, 200), statuses(BOTH, 100), statuses(NEITHER, 100))

    assert (await statuses(SECRET), await statuses(OTHER_SECRET)) == ({200}, {400})
    load = asyncio.create_task(under_load(SECRET))
    await service.entered.wait()
    config.replace_secrets([OTHER_SECRET, SECRET])
    assert (await statuses(OTHER_SECRET), await load) == ({200}, [{200}, {200}, {400}])
    load = asyncio.create_task(under_load(OTHER_SECRET))
    config.replace_secrets([OTHER_SECRET])
    assert (await statuses(SECRET), await load) == ({400}, [{200}, {200}, {400}])
    for bad in ([], ["short"], [SECRET, SECRET], SECRET):
        with pytest.raises(ValueError, match="secrets"):
            config.replace_secrets(bad)
    assert await statuses(OTHER_SECRET, 1) == {200}


async def test_fifty_replays_at_once_are_each_forwarded(http, service):
    """Whether an event is new is the service's to know."""
    answers = await asyncio.gather(*(http.post(PATH, data=GOOD, headers=signed(GOOD)) for _ in range(50)))
    assert ({answer.status for answer in answers}, len(service.calls)) == ({200}, 50)


async def test_a_delivery_in_flight_is_finished_when_the_gateway_stops(service):
    service.let_go.clear()
    async with serve_gateway(gateway_config(), service=service) as url:
        delivery = asyncio.create_task(send_raw(url, raw_delivery(GOOD, f"Content-Length: {len(GOOD)}") + GOOD))
        await service.entered.wait()
        asyncio.get_running_loop().call_later(0.1, service.let_go.set)
    assert status_of(await delivery) == 200
