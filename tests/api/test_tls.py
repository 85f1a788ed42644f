"""TLS: callers are known by their certificates, and certificates and authorities rotate without a restart."""

from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme

from billing_service.api.identity import CallerAuthenticator
from billing_service.api.tls import CertificateReloader, TlsFiles
from billing_service.domain.access.api_keys import Scope
from tests.api.edge_server import BILLING, REQUEST, TIMEOUT_S, EdgeUnderTest, RecordingLog, edge_server, refused


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


def credentials(
    server_ca: trustme.CA, client_ca: trustme.CA | None = None, name: str = "metering.internal"
) -> grpc.ChannelCredentials:
    issued = client_ca.issue_cert(name) if client_ca is not None else None
    return grpc.ssl_channel_credentials(
        root_certificates=server_ca.cert_pem.bytes(),
        private_key=issued.private_key_pem.bytes() if issued else None,
        certificate_chain=issued.cert_chain_pems[0].bytes() if issued else None,
    )


def by_certificate() -> CallerAuthenticator:
    async def find_api_key(_key_id):
        return None

    return CallerAuthenticator(
        pepper=b"p" * 32,
        find_api_key=find_api_key,
        note_use=lambda _key_id, _when: None,
        now_us=lambda: 0,
        certificate_callers={"metering.internal": frozenset({Scope.DEDUCT})},
    )


async def deduct(
    edge: EdgeUnderTest, channel_credentials: grpc.ChannelCredentials, method: str = "DeductCredits"
) -> bytes:
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
        for outsider in (
            credentials(pki.ca),
            credentials(pki.ca, trustme.CA()),
            credentials(trustme.CA(), pki.client_ca),
        ):
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
