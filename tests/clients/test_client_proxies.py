"""Which calls go through a forward proxy, and that nothing without TLS does."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import trustme
from billing_client import AsyncBillingClient, BillingClient, ClientOptions, errors
from billing_client.addresses import host_and_port, is_local
from billing_client.proxies import proxy_for

from tests.support.fake_service import Answer, FakeService
from tests.support.recording_proxy import recording_proxy

LOCAL = [
    "127.0.0.1:{port}",
    "localhost:{port}",
    "LOCALHOST:{port}",
    "dns:127.0.0.1:{port}",
    "dns:///127.0.0.1:{port}",
    "dns:///localhost:{port}",
    "ipv4:127.0.0.1:{port}",
]


@pytest.mark.parametrize("address", LOCAL)
@pytest.mark.parametrize("api_key", [None, "bill_canary"])
async def test_calls_to_this_machine_go_through_no_proxy(service, monkeypatch, address, api_key):
    address = address.format(port=host_and_port(service.address)[1])
    with recording_proxy() as proxy:
        for name, value in proxy.environment().items():
            monkeypatch.setenv(name, value)
        with BillingClient(address, api_key=api_key) as client:
            assert client.is_serving()
            client.list_packages()
        async with AsyncBillingClient(address, api_key=api_key) as client:
            assert await client.is_serving()
            await client.list_packages()
    assert proxy.asked == []
    assert len(service.attempts) == 2


async def test_calls_without_tls_go_through_no_proxy(service, monkeypatch, quick_retries):  # noqa: ARG001 - a fixture
    """It would read the API key."""
    with recording_proxy({"billing.test:50051": service.address}) as proxy:
        for name, value in proxy.environment().items():
            monkeypatch.setenv(name, value)
        with BillingClient("billing.test:50051", api_key="bill_canary", plaintext=True) as client:
            assert not client.is_serving(timeout_s=5)
            with pytest.raises(errors.ServiceUnreachable, match=r"billing\.test:50051 can't be reached: "):
                client.list_packages()
        async with AsyncBillingClient("billing.test:50051", api_key="bill_canary", plaintext=True) as client:
            assert not await client.is_serving(timeout_s=5)
    assert proxy.asked == []


@pytest.fixture
def encrypted(tmp_path):
    """A service with a certificate for billing.test: its address and the authority's file."""
    authority, fake = trustme.CA(), FakeService()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("billing.test")
    pair = (issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, handlers=(fake,))
        fake.address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', grpc.ssl_server_credentials([pair]))}"
        server.start()
        try:
            yield fake, tmp_path / "ca.pem"
        finally:
            server.stop(0).wait()


async def test_beyond_this_machine_a_proxy_tunnels_what_is_encrypted(encrypted, monkeypatch):
    fake, ca_file = encrypted
    with recording_proxy({"billing.test:443": fake.address}) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with BillingClient("billing.test:443", api_key="bill_canary", ca_file=ca_file) as client:
            client.list_packages()
        async with AsyncBillingClient("billing.test:443", api_key="bill_canary", ca_file=ca_file) as client:
            await client.list_packages()
    assert [asked.line for asked in proxy.asked] == ["CONNECT billing.test:443 HTTP/1.1"] * 2
    assert not any("canary" in f"{asked.line} {asked.headers}" for asked in proxy.asked)
    assert {attempt.metadata["authorization"] for attempt in fake.attempts} == {"Bearer bill_canary"}


@pytest.mark.parametrize("routes", [{}, {"billing.test:443": "127.0.0.1:1"}], ids=["refuses", "reaches nobody"])
async def test_what_a_proxy_spoils_was_not_sent_and_the_error_names_the_proxy_without_its_password(
    routes,
    monkeypatch,
    quick_retries,  # noqa: ARG001 - a fixture
):
    with recording_proxy(routes) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("://", "://user:sesame@"))
        for client in (BillingClient, AsyncBillingClient):
            with pytest.raises(errors.ServiceUnreachable) as raised:
                await _list_packages(client("billing.test:443"))
            assert f"billing.test:443 can't be reached through proxy {proxy.url}: " in raised.value.message
            assert "sesame" not in str(raised.value)


# A fixture.
async def test_an_answer_that_is_not_the_services_own_names_the_proxy_too(encrypted, monkeypatch, quick_retries):  # noqa: ARG001
    fake, ca_file = encrypted
    with recording_proxy({"billing.test:443": fake.address}) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        for client in (BillingClient, AsyncBillingClient):
            fake.script = [Answer(grpc.StatusCode.PERMISSION_DENIED, message="go away")] * 4
            with pytest.raises(errors.OutcomeUnknown, match=rf"go away \(through proxy {proxy.url}\)"):
                await _list_packages(client("billing.test:443", ca_file=ca_file))
            fake.script = [Answer(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", message="no scope")]
            with pytest.raises(errors.ScopeMissing) as raised:
                await _list_packages(client("billing.test:443", ca_file=ca_file))
            assert raised.value.message == "no scope"


async def _list_packages(client):
    if isinstance(client, BillingClient):
        with client:
            return client.list_packages()
    async with client:
        return await client.list_packages()


P = "http://user:canary@proxy.example:3128"
SHOWN = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"https_proxy": P}, SHOWN),
        ({"http_proxy": P}, SHOWN),
        ({"grpc_proxy": P, "https_proxy": "http://other:1", "http_proxy": "http://other:2"}, SHOWN),
        ({"https_proxy": P, "http_proxy": "http://other:2"}, SHOWN),
        ({"HTTPS_PROXY": P, "HTTP_PROXY": P, "ALL_PROXY": P, "all_proxy": P}, None),
        ({"https_proxy": "https://proxy.example"}, None),
        ({"https_proxy": "socks5://proxy.example"}, None),
        ({"https_proxy": "proxy.example:3128"}, None),
        ({"https_proxy": "http://[canary"}, None),
        ({"https_proxy": P, "no_proxy": "billing.example.com"}, None),
        ({"https_proxy": P, "no_proxy": "x, .example.com"}, None),
        ({"https_proxy": P, "no_proxy": "example.com"}, None),
        ({"https_proxy": P, "no_proxy": "billing.example.com:443"}, None),
        ({"https_proxy": P, "no_proxy": "billing.example.com:444"}, SHOWN),
        ({"https_proxy": P, "no_proxy": "ple.com"}, SHOWN),
        ({"https_proxy": P, "no_proxy": "*"}, None),
        ({"https_proxy": P, "NO_PROXY": "example.com"}, None),
        ({"https_proxy": P, "no_proxy": "other", "no_grpc_proxy": "example.com"}, None),
        ({"https_proxy": P, "no_proxy": "10.0.0.0/8,::1"}, SHOWN),
    ],
)
def test_the_proxy_is_the_one_that_grpc_would_take_from_the_environment(environ, expected):
    assert proxy_for("billing.example.com:443", environ) == expected


def test_networks_are_exempt():
    environ = {"https_proxy": P, "no_proxy": "10.0.0.0/8,fd00::/8"}
    addresses = ("10.1.2.3:443", "ipv4:10.1.2.3:443", "[fd00::1]:443", "11.1.2.3:443", "[fe00::1]:443")
    assert [proxy_for(address, environ) for address in addresses] == [None, None, None, SHOWN, SHOWN]


@pytest.mark.parametrize(
    "address",
    [each.format(port=1) for each in LOCAL]
    + ["[::1]:1", "ipv6:[::1]:1", "unix:/x", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"],
)
def test_what_is_local_has_no_proxy_and_needs_no_tls(address, monkeypatch):
    monkeypatch.setenv("https_proxy", P)
    options = ClientOptions(address=address)
    assert (is_local(address), options.uses_tls, options.proxy) == (True, False, None)


@pytest.mark.parametrize(
    "address",
    [
        "localhost.example:1",
        "127.0.0.1.example:1",
        "10.0.0.1:1",
        "dns://127.0.0.1/billing:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "[::2]:1",
        "1:1",
    ],
)
def test_what_is_not_local_needs_tls(address):
    assert (is_local(address), ClientOptions(address=address).uses_tls) == (False, True)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a:1", ("a", "1")),
        ("A.b:1", ("a.b", "1")),
        ("[::1]:1", ("::1", "1")),
        ("[::1]", ("::1", "")),
        ("::1", ("::1", "")),
        ("a", ("a", "")),
        ("a:", ("a:", "")),
        ("dns://8.8.8.8:53/a:1", ("a", "1")),
    ],
)
def test_host_and_port(address, expected):
    assert host_and_port(address) == expected
