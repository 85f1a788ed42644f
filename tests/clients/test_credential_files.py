"""A client's TLS files are read again when they change, and only when they fit together."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import pytest
import trustme
from billing_client import AsyncBillingClient, BillingClient, ClientOptions
from billing_client.credential_files import LOOKED_AT_EVERY_S, RETIRED_S, CredentialFiles

from tests.support.fake_service import FakeService


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class Pki:
    """A client's files, and a server that asks for a certificate of the same authority."""

    def __init__(self, directory):
        self.ca_file, self.certificate_file, self.private_key_file = (
            directory / name for name in ("ca.pem", "c.pem", "c.key")
        )
        self.authority = trustme.CA()
        self.write()

    @property
    def files(self):
        return {
            "ca_file": self.ca_file,
            "certificate_file": self.certificate_file,
            "private_key_file": self.private_key_file,
        }

    def write(self):
        issued = self.authority.issue_cert("metering")
        self.authority.cert_pem.write_to_path(self.ca_file)
        issued.cert_chain_pems[0].write_to_path(self.certificate_file)
        issued.private_key_pem.write_to_path(self.private_key_file)

    def rotate(self):
        self.authority = trustme.CA()
        self.write()

    def serve(self, fake, threads):
        issued = self.authority.issue_cert("127.0.0.1")
        pair = (issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())
        credentials = grpc.ssl_server_credentials([pair], self.authority.cert_pem.bytes(), require_client_auth=True)
        server = grpc.server(threads, handlers=(fake,))
        fake.address = f"127.0.0.1:{server.add_secure_port(fake.address or '127.0.0.1:0', credentials)}"
        server.start()
        return server


@pytest.fixture
def pki(tmp_path):
    return Pki(tmp_path)


@pytest.fixture(params=[BillingClient, AsyncBillingClient])
def ask(request):
    """One call on either client; those of asyncio run in one loop."""
    with asyncio.Runner() as runner:
        yield request.param, runner


def test_files_are_looked_at_once_a_second_and_only_what_fits_together_is_taken(pki):
    clock = Clock()
    files = CredentialFiles(ClientOptions(address="billing.test:443", **pki.files), clock)
    assert files.renewed() is None
    pki.rotate()
    clock.now_s += LOOKED_AT_EVERY_S / 2
    assert files.renewed() is None, "looked at too often"
    clock.now_s += LOOKED_AT_EVERY_S
    assert isinstance(files.renewed(), grpc.ChannelCredentials)
    key = pki.private_key_file.read_bytes()
    for broken in (trustme.CA().issue_cert("metering").private_key_pem.bytes(), b"no key", None):
        pki.private_key_file.unlink()
        if broken is not None:
            pki.private_key_file.write_bytes(broken)
        clock.now_s += LOOKED_AT_EVERY_S
        assert files.renewed() is None, broken
    pki.private_key_file.write_bytes(key)
    clock.now_s += LOOKED_AT_EVERY_S
    assert isinstance(files.renewed(), grpc.ChannelCredentials)
    clock.now_s += LOOKED_AT_EVERY_S
    assert files.renewed() is None


def test_without_files_there_is_nothing_to_look_at():
    clock = Clock()
    files = CredentialFiles(ClientOptions(), clock)
    clock.now_s = 1e9
    assert files.renewed() is None


class HeldFake(FakeService):
    """Answers once it is let go. Its server goes on with the authority of the beginning."""

    def __init__(self):
        super().__init__()
        self.entered, self.let_go = threading.Event(), threading.Event()

    def _answer(self, method, request, context):
        self.entered.set()
        assert self.let_go.wait(30)
        return super()._answer(method, request, context)


def test_a_call_in_flight_outlives_its_channel_and_the_next_uses_the_new_files(pki, ask, monkeypatch):
    kind, runner = ask
    monkeypatch.setattr("billing_client.credential_files.LOOKED_AT_EVERY_S", 0.0)
    fake = HeldFake()
    with ThreadPoolExecutor(8) as threads:
        server = pki.serve(fake, threads)

        async def with_asyncio():
            async with AsyncBillingClient(fake.address, **pki.files) as client:
                withheld = asyncio.ensure_future(client.list_packages(timeout_s=60))
                assert await asyncio.to_thread(fake.entered.wait, 30)
                for _ in range(2):
                    pki.rotate()
                    assert not await client.is_serving(timeout_s=5), "the old files are still in use"
                fake.let_go.set()
                await withheld

        def with_threads():
            with BillingClient(fake.address, **pki.files) as client, ThreadPoolExecutor(1) as caller:
                withheld = caller.submit(client.list_packages, timeout_s=60)
                assert fake.entered.wait(30)
                for _ in range(2):
                    pki.rotate()
                    assert not client.is_serving(timeout_s=5), "the old files are still in use"
                fake.let_go.set()
                withheld.result(30)

        if kind is BillingClient:
            with_threads()
        else:
            runner.run(with_asyncio())
        server.stop(0).wait()


def test_old_channels_of_the_blocking_client_are_closed_in_the_end(pki, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("billing_client.credential_files.LOOKED_AT_EVERY_S", 0.0)
    monkeypatch.setattr("billing_client.blocking.connection.time", SimpleNamespace(monotonic=clock))
    with BillingClient("127.0.0.1:9", **pki.files) as client:
        assert not client.is_serving(timeout_s=0.1)
        for _ in range(3):
            pki.rotate()
            clock.now_s += RETIRED_S + 1
            assert not client.is_serving(timeout_s=0.1)
            assert len(client._retired) == 1
