"""What is refused, what is forwarded, and what is answered."""

import asyncio
import gzip
import json
import os
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
    UNSIGNED,
    event,
    gateway_config,
    raw_delivery,
    send_raw,
    signature,
    signed,
    status_of,
)
from tests.support.process_cost import UNREADABLE, Cost
from webhook_gateway.answers import HTTP_STATUS
from webhook_gateway.config import PATHS_DEFAULT
from webhook_gateway.run import serve_gateway

BOTH, NEITHER = "both", "whsec_" + "neither-of-the-gateway-tests"
"""Names of signatures beside those of one secret."""
MALFORMED = {
    "not JSON": b"not json",
    "empty": b"",
    "not UTF-8": b'{"id":"\xff"}',
    "cut off": GOOD[:-1],
    "array": b"[]",
    "array of events": b"[" + GOOD + b"]",
    "string": b'"evt_1"',
    "number": b"1",
    "null": b"null",
    "NaN": b"NaN",
    "deep array": b"[" * 100_000,
    "deep and closed": b"[" * 50_000 + b"]" * 50_000,
    "deep object": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "deep inside an event": b'{"id":"evt_1","object":"event","type":"x","data":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "not an event": b'{"foo":1}',
    "other object": event(object="charge"),
    "object is no string": event(object=["event"]),
    "no id": event(id=None),
    "id is a number": event(id=1),
    "id with a control character": event(id="evt_\x001"),
    "huge id": event(id="evt_" + "1" * 300),
    "no type": event(type=None),
    "empty type": event(type=""),
    "type is an object": event(type={}),
    "thin event": event(object="v2.core.event"),
}


@pytest.mark.parametrize("name", UNSIGNED)
@pytest.mark.parametrize("path", PATHS_DEFAULT)
async def test_nothing_unsigned_is_forwarded(http, service, path, name):
    body, headers = UNSIGNED[name]
    async with http.post(path, data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "signature_invalid")
    assert service.calls == []


async def test_two_signature_headers_are_one_too_many(gateway, service):
    answer = await send_raw(
        gateway, raw_delivery(GOOD, "Stripe-Signature: t=1,v1=0", f"Content-Length: {len(GOOD)}") + GOOD
    )
    assert status_of(answer) == 400
    assert service.calls == []


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_signed_body_that_is_no_event_is_refused(http, service, name):
    body = MALFORMED[name]
    async with http.post(PATH, data=body, headers=signed(body)) as answer:
        assert (answer.status, (await answer.json())["error"]) == (
            400,
            "thin_event" if name == "thin event" else "malformed",
        )
    assert service.calls == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", ""])
async def test_a_compressed_body_is_refused(http, service, encoding):
    body = gzip.compress(GOOD)
    async with http.post(PATH, data=body, headers=signed(body) | {"Content-Encoding": encoding}) as answer:
        assert (answer.status, (await answer.json())["error"]) == (415, "compressed")
    assert service.calls == []


@pytest.mark.skipif(bool(UNREADABLE), reason=str(UNREADABLE))
@pytest.mark.parametrize("members", [15, 64])
async def test_a_gzip_bomb_is_never_inflated(gateway, service, members):
    """240 MiB in as much as is taken at all, and a GiB."""
    bomb = gzip.compress(bytes(16 << 20), 9) * members
    cost = Cost(os.getpid())
    cost.forget_peak()  # of making the bomb
    before_kib = cost.resident_kib(peak=True)
    for extra in (["Content-Encoding: gzip"], ["Transfer-Encoding: gzip"], ["Content-Encoding: identity"], []):
        answer = await send_raw(gateway, raw_delivery(bomb, *extra, f"Content-Length: {len(bomb)}") + bomb)
        # Who still sends when the refusal comes may miss it.
        assert status_of(answer) in {400, 413, 415, None if len(bomb) > 500_000 else 400}
    assert cost.resident_kib(peak=True) - before_kib < 10_240
    assert service.calls == []


@pytest.mark.parametrize("extra_bytes", [1, 700_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_an_oversized_body_is_refused_in_both_framings(http, service, config, chunked, extra_bytes):
    body = GOOD + b" " * (config.body_bytes_max - len(GOOD) + extra_bytes)

    async def chunks():
        for at in range(0, len(body), 60_000):
            yield body[at : at + 60_000]

    async with http.post(PATH, data=chunks() if chunked else body, headers=signed(body)) as answer:
        assert (answer.status, (await answer.json())["error"]) == (413, "too_large")
    assert service.calls == []


async def test_a_declared_length_is_refused_before_the_body_comes(gateway, service):
    answer = await send_raw(gateway, raw_delivery(GOOD, "Content-Length: 262145"))
    assert status_of(answer) == 413
    assert service.calls == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_largest_body_is_forwarded_in_both_framings(http, service, config, chunked):
    body = GOOD + b" " * (config.body_bytes_max - len(GOOD))

    async def chunks():
        yield body[:100_000]
        yield body[100_000:]

    async with http.post(PATH, data=chunks() if chunked else body, headers=signed(body)) as answer:
        assert answer.status == 200
    assert [call["payload"] for call in service.calls] == [body]


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 9" + b"9" * 30 + b"\r\n\r\n",
    ],
)
async def test_broken_framing_is_refused(gateway, service, framing):
    answer = await send_raw(gateway, raw_delivery(GOOD)[:-2] + framing)
    assert status_of(answer) == 400
    assert service.calls == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST / HTTP/9.9\r\n\r\n",
        b"A" * 100_000,
    ],
)
async def test_garbage_gets_no_answer_of_ours(config, service, garbage):
    config.receive_timeout_s = 0.3
    async with serve_gateway(config, service=service) as url:
        assert status_of(await send_raw(url, garbage)) in {None, 400}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_a_wrong_method_is_refused(http, service, method):
    async with http.request(method, PATH, data=GOOD, headers=signed(GOOD)) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert service.calls == []


@pytest.mark.parametrize(
    "path", ["/webhooks", "/webhooks/stripe/", "/webhooks/stripe/x", "/WEBHOOKS/stripe", "/metrics", "/../etc/passwd"]
)
async def test_a_wrong_path_is_refused(http, service, path):
    async with http.post(path, data=GOOD, headers=signed(GOOD)) as answer:
        assert (answer.status, await answer.json()) == (404, {"error": "not_found"})
    assert service.calls == []


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
