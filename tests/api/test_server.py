"""The server as a whole: honest health, a drain that loses nothing, TLS that knows its callers and rotates, metrics over HTTP."""

import asyncio
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme
from edge_server import BILLING, TIMEOUT_S, EdgeUnderTest, RecordingLog, edge_server, refused
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prepaid.billing.v1 import billing_pb2_grpc, transactions_pb2

from billing_service.api.health import PROBE_INTERVAL_S, PROBE_TIMEOUT_S, HealthServicer, Readiness
from billing_service.api.identity import CallerAuthenticator
from billing_service.api.metrics import MetricsServer
from billing_service.api.server import ServerLimits
from billing_service.api.tls import CertificateReloader, TlsFiles
from billing_service.domain.api_keys import Scope

REQUEST = transactions_pb2.DeductCreditsRequest(account_id="acct-1", amount_microcredits=5, idempotency_key="k1")
ANSWER = transactions_pb2.DeductCreditsResponse(transaction_id="txn_1")
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
        watch = health_pb2_grpc.HealthStub(edge.channel).Watch(health_pb2.HealthCheckRequest(service=BILLING.full_name), timeout=TIMEOUT_S)
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
    await _until(lambda: probe.calls >= 3)
    assert health.serving
    probe.state = "down"
    await _until(lambda: not health.serving)
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
        await _until(lambda: edge.server.edge.admission.in_flight == 1)
        assert (await refused(edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S))).reason == "OVERLOADED"
        assert await status_of(edge) == SERVING
        release.set()
        assert (await held).transaction_id == "txn_1"


async def _answer(edge: EdgeUnderTest):
    return await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)


async def _until(condition) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - what it waits for raises no event
            await asyncio.sleep(0.001)


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
        await _until(lambda: edge.server.edge.admission.in_flight == 20)
        began = time.monotonic()
        stopping = asyncio.create_task(edge.server.stop())
        assert (await watch.read()).status == NOT_SERVING
        # Balancers still send calls while they have not noticed: these are served.
        late = asyncio.create_task(_answer(edge))
        await _until(lambda: edge.server.edge.admission.in_flight == 21)
        assert await watch.read() is grpc.aio.EOF
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with grpc.aio.insecure_channel(edge.address) as other:
                await billing_pb2_grpc.BillingServiceStub(other).DeductCredits(REQUEST, timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not stopping.done()
        release.set()
        assert {answer.transaction_id for answer in await asyncio.gather(*in_flight, late)} == {"txn_1"}
        await stopping
        assert time.monotonic() - began < 10  # neither the grace period nor the watcher holds it up


async def test_a_second_stop_is_immediate_and_a_stuck_call_does_not_outlive_the_grace_period():
    stuck = asyncio.Event()

    async def waiting(_request, _call):
        await stuck.wait()

    for at_once in (False, True):
        async with edge_server({"DeductCredits": waiting}, limits=ServerLimits(grace_s=30 if at_once else 0.1)) as edge:
            call = asyncio.create_task(_answer(edge))
            await _until(lambda edge=edge: edge.server.edge.admission.in_flight == 1)
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
            call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=TIMEOUT_S)
            names = {service.name for service in (await call.read()).list_services_response.service}
            assert names >= {BILLING.full_name, "grpc.health.v1.Health"}
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await edge.channel.unary_unary("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(b"", timeout=TIMEOUT_S)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_metrics_over_http():
    async with edge_server() as edge:
        await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)
        server = MetricsServer(edge.registry, "127.0.0.1", 0)
        try:
            text = await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics").read().decode())
        finally:
            server.close()
    labels = 'grpc_method="DeductCredits",grpc_service="prepaid.billing.v1.BillingService"'
    assert f"grpc_server_started_total{{{labels}}} 1.0" in text
    assert 'grpc_code="OK"' in text
    assert f'grpc_server_handling_seconds_bucket{{{labels},le="+Inf"}} 1.0' in text.replace('le="+Inf",' + labels, labels + ',le="+Inf"')
    assert "billing_in_flight 0.0" in text


@dataclass
class Pki:
    """A server certificate on disk and authorities for clients."""

    ca: trustme.CA
    client_ca: trustme.CA
    files: TlsFiles

    def write_server(self, ca: trustme.CA) -> None:
        issued = ca.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(self.files.certificate)
        issued.private_key_pem.write_to_path(self.files.private_key)

    def write_client_ca(self, ca: trustme.CA) -> None:
        ca.cert_pem.write_to_path(self.files.client_ca)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    files = TlsFiles(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "clients.pem")
    made = Pki(trustme.CA(), trustme.CA(), files)
    made.write_server(made.ca)
    made.write_client_ca(made.client_ca)
    return made


def credentials(server_ca: trustme.CA, client_ca: trustme.CA | None = None, name: str = "metering.internal") -> grpc.ChannelCredentials:
    issued = client_ca.issue_cert(name) if client_ca is not None else None
    return grpc.ssl_channel_credentials(
        root_certificates=server_ca.cert_pem.bytes(),
        private_key=issued.private_key_pem.bytes() if issued else None,
        certificate_chain=issued.cert_chain_pems[0].bytes() if issued else None,
    )


def by_certificate() -> CallerAuthenticator:
    async def find_key(_key_id):
        return None

    return CallerAuthenticator(
        pepper=b"p" * 32,
        find_key=find_key,
        note_use=lambda _key_id, _when: None,
        now_us=lambda: 0,
        certificate_callers={"metering.internal": frozenset({Scope.DEDUCT})},
    )


async def deduct(edge: EdgeUnderTest, channel_credentials: grpc.ChannelCredentials, method: str = "DeductCredits") -> bytes:
    async with grpc.aio.secure_channel(f"localhost:{edge.server.port}", channel_credentials) as channel:
        return await channel.unary_unary(f"/{BILLING.full_name}/{method}")(b"", timeout=TIMEOUT_S)


async def test_mutual_tls_knows_its_callers(pki):
    async def who(_request, call):
        return call.caller.encode()

    async with edge_server({"DeductCredits": who}, authenticator=by_certificate(), tls=pki.files) as edge:
        assert await deduct(edge, credentials(pki.ca, pki.client_ca)) == b"metering.internal"
        assert (await refused(deduct(edge, credentials(pki.ca, pki.client_ca), "Refund"))).reason == "SCOPE_MISSING"
        stranger = await refused(deduct(edge, credentials(pki.ca, pki.client_ca, "stranger.internal")))
        assert (stranger.code, stranger.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")
        for outsider in (credentials(pki.ca), credentials(pki.ca, trustme.CA()), credentials(trustme.CA(), pki.client_ca)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await deduct(edge, outsider)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await edge.stub.DeductCredits(REQUEST, timeout=TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_certificates_and_authorities_rotate_without_a_restart(pki):
    async with edge_server(authenticator=by_certificate(), tls=pki.files) as edge:
        old_client = credentials(pki.ca, pki.client_ca)
        assert await deduct(edge, old_client) == b""
        new_ca, new_client_ca = trustme.CA(), trustme.CA()
        pki.write_server(new_ca)
        assert await deduct(edge, credentials(new_ca, pki.client_ca)) == b""
        pki.write_client_ca(new_client_ca)
        assert await deduct(edge, credentials(new_ca, new_client_ca)) == b""
        with pytest.raises(grpc.aio.AioRpcError):
            await deduct(edge, credentials(new_ca, pki.client_ca))


def test_files_that_do_not_fit_together_change_nothing(pki):
    log = RecordingLog()
    reloader = CertificateReloader(pki.files, log)
    assert reloader() is None
    key = pki.files.private_key.read_bytes()
    pki.files.private_key.write_bytes(trustme.CA().issue_cert("localhost").private_key_pem.bytes())
    assert reloader() is None
    pki.files.private_key.unlink()
    assert reloader() is None
    pki.files.private_key.write_bytes(key)
    assert isinstance(reloader(), grpc.ServerCertificateConfiguration)
    assert reloader() is None
    assert [line["event"] for line in log.lines] == ["tls_reload_refused", "tls_reload_refused", "tls_reloaded"]


async def test_unusable_tls_files_do_not_start(pki):
    pki.files.certificate.write_text("no certificate")
    with pytest.raises(OSError, match=r"(?i)pem|start line|certificate"):
        async with edge_server(tls=pki.files):
            pass
