"""The server as a whole: honest health, a drain that loses nothing, TLS that knows its callers and rotates, metrics
over HTTP."""

import asyncio
import time
import urllib.request

import grpc
import pytest
from billing_client import ClientOptions
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prepaid.billing.v1 import billing_pb2_grpc

from billing_service.api.health import PROBE_INTERVAL_S, PROBE_TIMEOUT_S, HealthServicer, Readiness
from billing_service.api.metrics import MetricsServer
from billing_service.api.server import PING_INTERVAL_MIN_MS, ServerLimits
from tests.api.edge_server import (
    ANSWER,
    BILLING,
    REQUEST,
    TIMEOUT_S,
    EdgeUnderTest,
    Gate,
    RecordingLog,
    edge_server,
    eventually,
    refused,
)

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Probe:
    """A database that is up, down, or hangs."""

    def __init__(self, state: str = "down") -> None:
        self.state = state
        self.calls = 0
        self.release = asyncio.Event()

    async def __call__(self) -> None:
        self.calls += 1
        if self.state == "down":
            raise ConnectionError("canary-hunter2")
        if self.state == "hangs":
            await self.release.wait()


async def status_of(edge: EdgeUnderTest, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(edge.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)).status


async def test_health_follows_the_probe():
    probe = Probe("down")
    async with edge_server(probe=probe) as edge:
        watch = health_pb2_grpc.HealthStub(edge.channel).Watch(
            health_pb2.HealthCheckRequest(service=BILLING.full_name), timeout=TIMEOUT_S
        )
        assert (await watch.read()).status == NOT_SERVING
        for state, expected in (("up", SERVING), ("down", NOT_SERVING), ("up", SERVING)):
            probe.state = state
            assert await edge.server.readiness.check() is (expected == SERVING)
            assert (await watch.read()).status == expected
            assert [await status_of(edge, name) for name in ("", BILLING.full_name)] == [expected, expected]
        watch.cancel()
        flips = [line for line in edge.log.lines if line["event"] == "health"]
        assert [line["serving"] for line in flips] == [True, False, True]


async def test_health_of_unknown_services():
    async with edge_server() as edge:
        stub = health_pb2_grpc.HealthStub(edge.channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await status_of(edge, "no.such.Service")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=TIMEOUT_S)
        assert (await watch.read()).status == SERVICE_UNKNOWN
        watch.cancel()
        listed = await stub.List(health_pb2.HealthListRequest(), timeout=TIMEOUT_S)
        assert set(listed.statuses) >= {"", BILLING.full_name}


async def test_the_loop_asks_by_itself():
    probe = Probe("up")
    health, log = HealthServicer([]), RecordingLog()
    readiness = Readiness(health, probe, log, interval_s=0.001)
    assert not health.serving
    readiness.start()
    await eventually(lambda: probe.calls >= 3)
    assert health.serving
    probe.state = "down"
    await eventually(lambda: not health.serving)
    await readiness.stop()
    assert PROBE_INTERVAL_S + 2 * PROBE_TIMEOUT_S <= 5


async def test_a_probe_that_hangs_is_a_no_and_is_not_piled_up():
    probe = Probe("hangs")
    health = HealthServicer([])
    readiness = Readiness(health, probe, RecordingLog(), timeout_s=0.01)
    for _ in range(5):
        assert not await readiness.check()
    assert probe.calls == 1
    probe.release.set()
    assert await readiness.check()
    assert health.serving
    probe.state, probe.release = "hangs", asyncio.Event()
    assert not await readiness.check()
    assert not health.serving
    await readiness.stop()


async def test_health_answers_while_overloaded():
    release = asyncio.Event()

    async def waiting(_request, _call):
        await release.wait()
        return ANSWER

    async with edge_server({"DeductCredits": waiting}, limits=ServerLimits(in_flight_max=1, grace_s=0.1)) as edge:
        await edge.server.readiness.check()
        held = asyncio.create_task(_answer(edge))
        await eventually(lambda: edge.server.edge.admission.in_flight == 1)
        assert (await refused(edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S))).reason == "OVERLOADED"
        assert await status_of(edge) == SERVING
        release.set()
        assert (await held).transaction_id == "txn_1"


async def _answer(edge: EdgeUnderTest):
    return await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)


async def test_a_drain_finishes_what_is_in_flight_and_takes_no_more():
    release = asyncio.Event()

    async def waiting(_request, _call):
        await release.wait()
        return ANSWER

    async with edge_server({"DeductCredits": waiting}, limits=ServerLimits(drain_wait_s=0.05, grace_s=30)) as edge:
        await edge.server.readiness.check()
        watch = health_pb2_grpc.HealthStub(edge.channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        assert (await watch.read()).status == SERVING
        in_flight = [asyncio.create_task(_answer(edge)) for _ in range(20)]
        await eventually(lambda: edge.server.edge.admission.in_flight == 20)
        began = time.monotonic()
        stopping = asyncio.create_task(edge.server.stop())
        assert (await watch.read()).status == NOT_SERVING
        # Balancers still send calls while they have not noticed: these are served.
        late = asyncio.create_task(_answer(edge))
        await eventually(lambda: edge.server.edge.admission.in_flight == 21)
        assert await watch.read() is grpc.aio.EOF
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with grpc.aio.insecure_channel(edge.address) as other:
                await billing_pb2_grpc.BillingServiceStub(other).DeductCredits(REQUEST, timeout=TIMEOUT_S)
        # The port is closed, or gRPC's own answer to a call that meets a shutdown: clients repeat both.
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert not stopping.done()
        release.set()
        assert {answer.transaction_id for answer in await asyncio.gather(*in_flight, late)} == {"txn_1"}
        await stopping
        assert time.monotonic() - began < 25  # neither the grace period nor the watcher holds it up


async def test_a_second_stop_is_immediate_and_a_stuck_call_does_not_outlive_the_grace_period():
    stuck = asyncio.Event()

    async def waiting(_request, _call):
        await stuck.wait()

    for at_once in (False, True):
        async with edge_server({"DeductCredits": waiting}, limits=ServerLimits(grace_s=30 if at_once else 0.1)) as edge:
            call = asyncio.create_task(_answer(edge))
            await eventually(lambda edge=edge: edge.server.edge.admission.in_flight == 1)
            first = asyncio.create_task(edge.server.stop())
            if at_once:
                await asyncio.sleep(0)
                await edge.server.stop(at_once=True)
            await asyncio.wait_for(first, TIMEOUT_S)
            with pytest.raises(grpc.aio.AioRpcError):
                await call
            assert edge.server.edge.admission.in_flight == 0


async def test_a_port_in_use_is_not_shared():
    async with edge_server() as edge:
        with pytest.raises(RuntimeError, match=str(edge.server.port)):
            async with edge_server(listen=edge.address):
                pass


async def test_oversized_metadata_is_refused():
    async with edge_server() as edge:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S, metadata=(("x-filler", "y" * 20_000),))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("enabled", [True, False])
async def test_reflection_is_a_switch(enabled):
    async with edge_server(reflection=enabled) as edge:
        stub = reflection_pb2_grpc.ServerReflectionStub(edge.channel)
        if enabled:
            call = stub.ServerReflectionInfo(
                iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=TIMEOUT_S
            )
            names = {service.name for service in (await call.read()).list_services_response.service}
            assert names >= {BILLING.full_name, "grpc.health.v1.Health"}
            for name in ("Status", "ErrorInfo", "BadRequest", "RetryInfo"):  # what errors are read with
                asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"google.rpc.{name}")
                call = stub.ServerReflectionInfo(iter([asked]), timeout=TIMEOUT_S)
                assert (await call.read()).file_descriptor_response.file_descriptor_proto, name
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await edge.channel.unary_unary("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(
                    b"", timeout=TIMEOUT_S
                )
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_metrics_over_http():
    async with edge_server() as edge:
        await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)
        server = MetricsServer(edge.registry, "127.0.0.1", 0)
        try:
            text = await asyncio.to_thread(
                lambda: urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics").read().decode()
            )
        finally:
            server.close()
    labels = 'grpc_method="DeductCredits",grpc_service="prepaid.billing.v1.BillingService"'
    assert f"grpc_server_started_total{{{labels}}} 1.0" in text
    assert 'grpc_code="OK"' in text
    assert f'grpc_server_handling_seconds_bucket{{{labels},le="+Inf"}} 1.0' in text.replace(
        'le="+Inf",' + labels, labels + ',le="+Inf"'
    )
    assert "billing_in_flight 0.0" in text


async def test_a_caller_that_pings_too_often_is_told_by_its_transport_alone():
    """gRPC gives no room for a reason of ours: docs/clients.md says what callers see, and the client pings as seldom as
    it must."""
    often = [
        ("grpc.keepalive_time_ms", 100),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    async with (
        edge_server({"DeductCredits": Gate().wait}) as edge,
        grpc.aio.insecure_channel(edge.address, often) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await billing_pb2_grpc.BillingServiceStub(channel).DeductCredits(REQUEST, timeout=TIMEOUT_S)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "Too many pings")
    assert caught.value.trailing_metadata() == grpc.aio.Metadata()
    assert dict(ClientOptions().channel_options())["grpc.keepalive_time_ms"] >= PING_INTERVAL_MIN_MS
