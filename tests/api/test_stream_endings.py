"""What ends a stream at the edge: its caller is no longer known, or the service drains. What was read is answered
first."""

import asyncio

import grpc

from billing_service.api.server import ServerLimits
from billing_service.api.streams import streaming
from billing_service.domain.access.api_keys import Scope
from tests.api.edge_server import TIMEOUT_S, edge_server, eventually, refused
from tests.api.edge_streams import Held, answers, end_of, send
from tests.api.key_ring import KeyRing, bearer


async def test_a_revoked_key_ends_its_stream_once_what_was_read_is_answered(monkeypatch):
    monkeypatch.setattr(streaming, "IDENTITY_CHECKED_EVERY_S", 0.0)
    ring, held = KeyRing(), Held()
    key = ring.add(1, "metering", Scope.DEDUCT)
    async with edge_server({"StreamDeductions": held.implementation}, authenticator=ring.authenticator()) as edge:
        call = edge.stub.StreamDeductions(metadata=(bearer(key),))
        await send(call, "a", "b")
        await eventually(lambda: len(held.begun) == 2)
        ring.add(1, "metering", Scope.DEDUCT, revoke_time_us=1)
        ring.pass_time(5.1)
        await send(call, "c")
        await eventually(lambda: len(ring.lookups) == 2)
        held.answer()
        assert await answers(call, 2) == ["a", "b"]
        seen = await end_of(call)
        assert (seen.code, seen.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
        assert len(held.begun) == 2
        assert edge.server.edge.admission.in_flight == 0


async def test_a_key_that_loses_its_scope_ends_its_stream(monkeypatch):
    monkeypatch.setattr(streaming, "IDENTITY_CHECKED_EVERY_S", 0.0)
    ring = KeyRing()
    key = ring.add(1, "metering", Scope.DEDUCT)
    async with edge_server(authenticator=ring.authenticator()) as edge:
        call = edge.stub.StreamDeductions(metadata=(bearer(key),))
        await send(call, "a")
        assert await answers(call, 1) == ["a"]
        ring.add(1, "metering", Scope.READ)
        ring.pass_time(5.1)
        await send(call, "b")
        assert (await end_of(call)).reason == "SCOPE_MISSING"


def test_a_revocation_acts_within_the_ten_seconds_promised():
    assert streaming.IDENTITY_CHECKED_EVERY_S + 5.0 < 10


async def test_a_drain_answers_what_was_read_and_ends_streams_with_what_to_do():
    held = Held()
    async with edge_server({"StreamDeductions": held.implementation}, limits=ServerLimits(grace_s=30)) as edge:
        busy, idle = edge.stub.StreamDeductions(), edge.stub.StreamDeductions()
        await send(busy, *range(5))
        await send(idle, "x")
        await eventually(lambda: len(held.begun) == 6)
        held.answer(next(number for number, future in enumerate(held.begun) if future.account_id == "x"))
        assert await answers(idle, 1) == ["x"]
        stopping = asyncio.create_task(edge.server.stop())
        seen = await end_of(idle)
        assert (seen.code, seen.reason, seen.retry_ms) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", 200)
        await eventually(lambda: edge.server.edge.admission.streams_ended)
        assert not stopping.done()
        await send(busy, "too late")
        held.answer()
        assert await answers(busy, 5) == [*"01234"]
        assert (await end_of(busy)).reason == "SHUTTING_DOWN"
        assert len(held.begun) == 6
        await asyncio.wait_for(stopping, TIMEOUT_S)


async def test_no_stream_begins_once_streams_are_being_ended():
    async with edge_server() as edge:
        edge.server.edge.admission.end_streams()
        seen = await refused(edge.stub.StreamDeductions().read())
        assert (seen.code, seen.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")


async def test_a_stream_whose_caller_is_looked_up_as_streams_are_ended_ends_with_them():
    ring, held = KeyRing(), Held()
    key, ring.gate = ring.add(1, "metering", Scope.DEDUCT), asyncio.Event()
    async with edge_server({"StreamDeductions": held.implementation}, authenticator=ring.authenticator()) as edge:
        call = edge.stub.StreamDeductions(metadata=(bearer(key),))
        await eventually(lambda: ring.lookups)
        edge.server.edge.admission.end_streams()
        ring.gate.set()
        seen = await end_of(call)
        assert (seen.code, seen.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert edge.server.edge.admission.in_flight == 0
