"""Mutated deliveries over HTTP: forwarded exactly when the references accept them, never an answer of the 500s, never
an exception."""

import asyncio
import json

import pytest

from tests.gateway.gateway_bench import PATH, gateway_config, send_raw, status_of
from tests.gateway.gateway_witness import witnessing
from tests.support.run_length import LONG
from tests.support.signature_mutations import mutations, reference
from tests.support.signature_seeds import ACCEPTED, BODIES, BODY, OTHER, REFUSED, SECRET, header
from webhook_gateway.run import serve_gateway

TRIES = 10_000 if LONG else 1_500
SEEDS = range(20) if LONG else [7]
AT_ONCE = 20
SECRETS = [SECRET, OTHER]
FIELD_BYTES_MAX = 8190
"""The longest header that aiohttp takes; the verifier alone would take two bytes more."""


def is_event(body):
    """Whether the body is an event, by the standard library's decoder."""
    try:
        event = json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    if not isinstance(event, dict) or event.get("object") != "event":
        return False
    return all(
        isinstance(name, str) and 0 < len(name) <= 255 and name.isprintable()
        for name in (event.get("id"), event.get("type"))
    )


def _refuse(constant):
    raise ValueError(constant)


def request_of(body, head):
    return b"\r\n".join([
        f"POST {PATH} HTTP/1.1".encode(),
        b"Host: gateway",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
        b"Stripe-Signature: " + head,
        b"",
        body,
    ])  # fmt: skip


async def statuses(service, pairs):
    """What the gateway answers to each pair of body and header, and nothing that it complains of."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def deliver(body, head):
        async with at_once:
            return status_of(await send_raw(url, request_of(body, head)))

    with witnessing() as witness:
        async with serve_gateway(gateway_config(secrets=tuple(SECRETS)), service=service) as url:
            answered = await asyncio.gather(*(deliver(body, head) for body, head in pairs))
            assert await deliver(BODY, header().encode()) == 200
    assert witness.complaints() == []
    # Whatever header the gateway made of the bytes: what it forwarded was signed, and is an event.
    for call in service.calls:
        assert reference(call["payload"], call["stripe_signature"].encode("utf-8", "surrogateescape"), SECRETS)
        assert is_event(call["payload"])
    assert len(service.calls) == answered.count(200) + 1
    return answered


@pytest.mark.parametrize("seed", SEEDS)
async def test_mutated_deliveries(service, seed):
    pairs = list(mutations(seed, TRIES))
    for (body, head), status in zip(pairs, await statuses(service, pairs), strict=True):
        assert status in {200, 400}, (body, head, status)
        if b"\n" in head or b"\r" in head or len(head) > FIELD_BYTES_MAX:
            continue  # a line's end ends the header, so the gateway sees another one than was meant
        # HTTP takes blanks around a value away before anybody sees it.
        expected = reference(body, head.strip(b" \t"), SECRETS) and is_event(body)
        assert (status == 200) == expected, (body, head, status)
    assert TRIES * 2 > len(service.calls) * 4 > TRIES / 3


async def test_each_seed_over_http(service):
    """Every header and body that verifiers have stumbled over, as it is."""
    refused = [(BODY, head.encode("utf-8", "surrogateescape")) for head in REFUSED.values()]
    refused += [(body, header(body).encode()) for body in BODIES.values() if not is_event(body)]
    accepted = [(BODY, head.encode()) for head in ACCEPTED if len(head) <= FIELD_BYTES_MAX]
    refused += [(BODY, head.encode()) for head in ACCEPTED if len(head) > FIELD_BYTES_MAX]
    answered = await statuses(service, refused + accepted)
    assert answered[: len(refused)] == [400] * len(refused)
    assert answered[len(refused) :] == [200] * len(accepted)
