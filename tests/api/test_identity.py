"""Who is recognised, what they may do, and how little a refusal tells."""

import asyncio
import gc
from dataclasses import replace

import grpc
import pytest
from grpc.aio import AioRpcError

from billing_service.api.identity import CACHE_S, Identity
from billing_service.api.pipeline import required_scope
from billing_service.domain.access.api_keys import Scope, make_key
from billing_service.domain.refusals import Failure, Reason, storage_unavailable
from billing_service.domain.refusals.access import api_key_invalid
from tests.api.edge_server import TIMEOUT_S, edge_server, refused
from tests.api.key_ring import METHODS, NOW_US, FakePeer, KeyRing, bearer, identify, key_number, rejected
from tests.support.wire import first_answer


def bad_credentials(ring: KeyRing) -> dict[str, tuple]:
    good = ring.add(1, "web", *Scope)
    forged = make_key(bytes([1]) * 10 + bytes([9]) * 20)
    assert forged.key_id == good.key_id
    return {
        "none": (),
        "empty": (("authorization", ""),),
        "no scheme": (("authorization", good.text),),
        "other scheme": (("authorization", f"Basic {good.text}"),),
        "malformed": (bearer("bill_nonsense"),),
        "trailing": (bearer(good.text + " "),),
        "twice": (bearer(good), bearer(good)),
        "unknown": (bearer(key_number(77)),),
        "known id, other secret": (bearer(forged),),
        "expired": (bearer(ring.add(2, "web", *Scope, expire_time_us=NOW_US)),),
        "revoked": (bearer(ring.add(3, "web", *Scope, revoke_time_us=NOW_US - 1)),),
    }


async def test_who_may_do_what_exactly():
    """Every method with every credential: the exact status, one text, and no implementation reached without its
    scope."""
    ring = KeyRing()
    bad = bad_credentials(ring)
    async with edge_server(authenticator=ring.authenticator()) as edge:
        for method in METHODS:
            for metadata in bad.values():
                seen = await refused(first_answer(edge.channel, method, b"", TIMEOUT_S, metadata))
                assert (seen.code, seen.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
                assert (seen.text, seen.metadata) == (api_key_invalid().message, {})
        for n, scope in enumerate(Scope, start=10):
            metadata = (bearer(ring.add(n, f"only-{scope}", scope)),)
            for method in METHODS:
                call = first_answer(edge.channel, method, b"", TIMEOUT_S, metadata)
                if scope in (Scope.ADMIN, required_scope(method)):
                    assert await call is not None
                else:
                    seen = await refused(call)
                    assert (seen.code, seen.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
                    assert seen.metadata == {"scope": required_scope(method).value}


async def test_scope_is_checked_before_the_request_is_read():
    ring = KeyRing()
    reader = (bearer(ring.add(1, "web", Scope.READ)),)
    async with edge_server(authenticator=ring.authenticator()) as edge:
        call = edge.channel.unary_unary("/prepaid.billing.v1.BillingService/Refund")
        for raw in (b"\xff garbage", b"x" * 100_000):
            assert (await refused(call(raw, timeout=TIMEOUT_S, metadata=reader))).reason == "SCOPE_MISSING"


async def test_a_dead_database_is_no_bad_key():
    ring = KeyRing()
    key = ring.add(1, "web", Scope.DEDUCT)
    ring.failure = storage_unavailable()
    async with edge_server(authenticator=ring.authenticator()) as edge:
        call = edge.channel.unary_unary("/prepaid.billing.v1.BillingService/DeductCredits")
        seen = await refused(call(b"", timeout=TIMEOUT_S, metadata=(bearer(key),)))
        assert (seen.code, seen.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        ring.failure = None
        assert await call(b"", timeout=TIMEOUT_S, metadata=(bearer(key),)) == b""


async def test_a_key_is_looked_up_once_in_five_seconds_and_a_revocation_acts_within():
    ring = KeyRing()
    key = ring.add(1, "web", Scope.READ)
    authenticator, peer = ring.authenticator(), FakePeer((bearer(key),))
    assert await identify(authenticator, peer) == Identity("web", frozenset({Scope.READ}), key.key_id)
    ring.keys[key.key_id] = replace(ring.keys[key.key_id], revoke_time_us=ring.now_us)
    ring.pass_time(CACHE_S - 0.1)
    assert (await identify(authenticator, peer)).caller == "web"
    assert ring.lookups == [key.key_id]
    ring.pass_time(0.2)
    await rejected(authenticator, peer)


async def test_a_revocation_acts_within_the_ten_seconds_promised():
    ring = KeyRing()
    key = ring.add(1, "web", Scope.READ)
    authenticator, peer = ring.authenticator(), FakePeer((bearer(key),))
    await identify(authenticator, peer)
    ring.keys[key.key_id] = replace(ring.keys[key.key_id], revoke_time_us=ring.now_us)
    ring.pass_time(10)
    await rejected(authenticator, peer)


async def test_what_is_remembered_does_not_grow_old_twice():
    """A second secret of a remembered id must not renew the trust in the first."""
    ring = KeyRing()
    key = ring.add(1, "web", Scope.READ)
    authenticator = ring.authenticator()
    await rejected(authenticator, FakePeer((bearer(make_key(bytes([1]) * 10 + bytes([9]) * 20)),)))
    ring.pass_time(CACHE_S - 0.1)
    assert (await identify(authenticator, FakePeer((bearer(key),)))).caller == "web"
    ring.keys.clear()
    ring.pass_time(0.2)
    await rejected(authenticator, FakePeer((bearer(key),)))


async def test_a_key_ends_when_it_expires_even_if_remembered():
    ring = KeyRing()
    peer = FakePeer((bearer(ring.add(1, "web", Scope.READ, expire_time_us=NOW_US + 2_000_000)),))
    authenticator = ring.authenticator()
    await identify(authenticator, peer)
    ring.pass_time(1.9)
    await identify(authenticator, peer)
    ring.pass_time(0.2)
    await rejected(authenticator, peer)


async def test_two_live_keys_of_one_caller():
    ring = KeyRing()
    keys = [ring.add(n, "web", Scope.READ) for n in (1, 2)]
    authenticator = ring.authenticator()
    assert [(await identify(authenticator, FakePeer((bearer(key),)))).caller for key in keys] == ["web", "web"]


async def test_unknown_ids_cost_the_same_look_ups_as_known_ones():
    ring = KeyRing()
    ring.add(1, "web", Scope.READ)
    known, unknown = bearer(make_key(bytes([1]) * 10 + bytes([9]) * 20)), bearer(key_number(50))
    authenticator = ring.authenticator()
    counts = []
    for credential in (known, unknown):
        for _ in range(5):
            await rejected(authenticator, FakePeer((credential,)))
        counts.append(len(ring.lookups))
    assert counts == [1, 2]


async def test_the_memory_for_keys_is_bounded(monkeypatch):
    monkeypatch.setattr("billing_service.api.identity.CACHE_KEYS_MAX", 10)
    ring = KeyRing()
    authenticator = ring.authenticator()
    for n in range(100):
        await rejected(authenticator, FakePeer((bearer(key_number(n)),)))
    assert len(authenticator._found) == 10


async def test_callers_that_wait_for_one_key_share_a_look_up_that_survives_the_first():
    ring = KeyRing()
    ring.gate = asyncio.Event()
    peer = FakePeer((bearer(ring.add(1, "web", Scope.READ)),))
    authenticator = ring.authenticator()
    waiting = [asyncio.create_task(identify(authenticator, peer)) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting[0].cancel()
    ring.gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert {identity.caller for identity in outcomes[1:]} == {"web"}
    assert len(ring.lookups) == 1


async def test_a_look_up_that_fails_after_everybody_left_is_quiet():
    ring = KeyRing()
    ring.gate, ring.failure = asyncio.Event(), Failure(Reason.STORAGE_UNAVAILABLE, "down")
    task = asyncio.create_task(identify(ring.authenticator(), FakePeer((bearer(ring.add(1, "web", Scope.READ)),))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    ring.gate.set()
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def test_the_last_use_is_noted_once_a_minute():
    ring = KeyRing()
    key = ring.add(1, "web", Scope.READ)
    authenticator = ring.authenticator()
    for _ in range(13):
        await identify(authenticator, FakePeer((bearer(key),)))
        ring.pass_time(10)
    await rejected(authenticator, FakePeer((bearer(make_key(bytes([1]) * 10 + bytes([9]) * 20)),)))
    assert ring.uses == [(key.key_id, NOW_US), (key.key_id, NOW_US + 60_000_000), (key.key_id, NOW_US + 120_000_000)]


async def test_a_clock_that_leaps_ends_keys_by_itself_and_brings_them_back():
    """A day ahead and back: the key that expired in between lives again, and its use is noted."""
    ring = KeyRing()
    key = ring.add(1, "web", Scope.READ, expire_time_us=NOW_US + 3_600_000_000)
    authenticator, peer = ring.authenticator(), FakePeer((bearer(key),))
    await identify(authenticator, peer)
    for leap_us, is_live in ((86_400_000_000, False), (0, True), (-86_400_000_000, True), (0, True)):
        ring.now_us = NOW_US + leap_us
        ring.monotonic += CACHE_S + 0.1
        if is_live:
            await identify(authenticator, peer)
        else:
            await rejected(authenticator, peer)
    assert ring.uses == [(key.key_id, NOW_US), (key.key_id, NOW_US - 86_400_000_000), (key.key_id, NOW_US)]


async def test_without_keys_everybody_is_local():
    async with edge_server() as edge:
        call = edge.channel.unary_unary("/prepaid.billing.v1.AdminService/GrantCredits")
        assert await call(b"", timeout=TIMEOUT_S) == b""
        with pytest.raises(AioRpcError) as caught:
            await edge.channel.unary_unary("/prepaid.billing.v1.AdminService/NoSuchMethod")(b"", timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
