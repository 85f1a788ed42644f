"""What the gateway refuses by itself, and forwards nothing of."""

import gzip
import os

import pytest

from tests.gateway.gateway_bench import (
    GOOD,
    PATH,
    UNSIGNED,
    event,
    raw_delivery,
    send_raw,
    signed,
    status_of,
)
from tests.support.process_cost import UNREADABLE, Cost
from webhook_gateway.config import PATHS_DEFAULT
from webhook_gateway.run import serve_gateway

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
