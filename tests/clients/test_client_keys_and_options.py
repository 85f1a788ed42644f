"""Keys in order, options that make sense, credentials that go nowhere unencrypted."""

import itertools
import threading
import uuid
from pathlib import Path

import grpc
import pytest
import trustme
from billing_client import AsyncBillingClient, BillingClient, ClientOptions, new_idempotency_key
from billing_client.addresses import is_local
from billing_client.idempotency import KeyGenerator, key_or_new

from tests.support.fake_service import FakeService

NOW_NS = 1_900_000_000_123_456_789


def test_keys_are_uuids_of_version_7_and_carry_the_time():
    key = uuid.UUID(KeyGenerator(lambda: NOW_NS)())
    assert (key.version, key.variant, key.int >> 80) == (7, uuid.RFC_4122, NOW_NS // 1_000_000)


def test_keys_ascend_while_the_clock_stands_steps_back_or_is_outrun():
    clock = itertools.chain([NOW_NS] * 10_000, [NOW_NS - 10**12] * 10, [NOW_NS + 10**12])
    generate = KeyGenerator(lambda: next(clock))
    keys = [generate() for _ in range(10_011)]
    assert keys == sorted(set(keys))


def test_threads_share_a_generator_without_a_double():
    generate = KeyGenerator(lambda: NOW_NS)
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append([generate() for _ in range(2_000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(itertools.chain.from_iterable(found))) == 8_000


def test_a_given_key_stays_and_only_none_is_replaced():
    assert [key_or_new("mine"), key_or_new("")] == ["mine", ""]
    assert len(key_or_new(None)) == len(new_idempotency_key()) == 36


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"address": ""}, "address"),
        ({"address": "a b:1"}, "address"),
        ({"address": "a:1\n"}, "address"),
        ({"address": "http://a:1"}, "address must be host:port, without http://"),
        ({"address": "https://a"}, "address must be host:port, without https://"),
        ({"address": "grpc://a:1"}, "address must be host:port, without grpc://"),
        ({"address": "secret://a:1"}, "address must be host:port"),
        ({"address": "127.0.0.1"}, "address must be host:port"),
        ({"address": "billing.example"}, "address must be host:port"),
        ({"address": ":1"}, "address must be host:port"),
        ({"address": "a:"}, "address must be host:port"),
        ({"address": "a:1/"}, "address must be host:port"),
        ({"address": "a:b"}, "address must be host:port"),
        ({"address": "a:0"}, "address must be host:port"),
        ({"address": "a:65536"}, "address must be host:port"),
        ({"address": "a:²"}, "address must be host:port"),
        ({"address": "[::1]"}, "address must be host:port"),
        ({"address": "::1:1"}, "address must be host:port"),
        ({"address": "u:secret@a:1"}, "address must be host:port"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "se cret"}, "api_key"),
        ({"api_key": "sécret"}, "api_key"),
        ({"api_key": "secret\n"}, "api_key"),
        ({"certificate_file": Path("c")}, "private_key_file"),
        ({"private_key_file": Path("k")}, "certificate_file"),
        ({"plaintext": True, "ca_file": Path("c")}, "plaintext"),
    ],
)
def test_options_that_contradict_themselves_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named) as raised:
        ClientOptions(**arguments)
    assert "secret" not in str(raised.value)
    assert "sécret" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        *("a:1", "a:65535", "billing.example:443", "127.0.0.1:1", "[::1]:1", "_grpc.a-b:1"),
        *("unix:x.sock", "unix:/run/x.sock", "unix:///run/x.sock", "unix-abstract:x"),
        *(
            "dns:a:1",
            "dns:a",
            "dns:///a",
            "dns:///a:1",
            "dns://127.0.0.1:53/a:1",
            "ipv4:127.0.0.1:1,127.0.0.2:1",
            "ipv6:[::1]:1",
            "xds:///a",
        ),
    ],
)
def test_every_form_that_grpc_knows_is_taken(address):
    assert ClientOptions(address=address).address == address


def test_an_option_in_the_environment_that_is_neither_true_nor_false_is_refused():
    with pytest.raises(ValueError, match="BILLING_PLAINTEXT"):
        ClientOptions.from_env({"BILLING_PLAINTEXT": "maybe"})


def test_a_missing_certificate_file_is_named(tmp_path):
    with pytest.raises(OSError, match=r"missing\.pem"):
        BillingClient("billing.example:443", ca_file=tmp_path / "missing.pem")


def test_options_do_not_print_the_key():
    assert "canary" not in repr(ClientOptions(api_key="canary"))


def test_the_environment_is_read_and_empty_means_absent():
    assert (
        ClientOptions.from_env({"BILLING_ADDRESS": "", "BILLING_API_KEY": "", "BILLING_CA_FILE": ""}) == ClientOptions()
    )
    read = ClientOptions.from_env(
        {
            "BILLING_ADDRESS": "billing.example:443",
            "BILLING_API_KEY": "k",
            "BILLING_CA_FILE": "ca.pem",
            "BILLING_CERTIFICATE_FILE": "c.pem",
            "BILLING_PRIVATE_KEY_FILE": "k.pem",
        }
    )
    assert read == ClientOptions(
        address="billing.example:443",
        api_key="k",
        ca_file=Path("ca.pem"),
        certificate_file=Path("c.pem"),
        private_key_file=Path("k.pem"),
    )
    assert ClientOptions.from_env({"BILLING_PLAINTEXT": "True"}).plaintext


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"address": "127.0.0.1:1"}, False),
        ({"address": "[::1]:1"}, False),
        ({"address": "localhost:1"}, False),
        ({"address": "unix:/run/billing.sock"}, False),
        ({"address": "10.0.0.1:1"}, True),
        ({"address": "localhost.example:1"}, True),
        ({"address": "billing:50051"}, True),
        ({"address": "billing:50051", "plaintext": True}, False),
        ({"address": "127.0.0.1:1", "ca_file": Path("ca.pem")}, True),
    ],
)
def test_the_key_leaves_the_machine_only_encrypted(options, expected):
    assert ClientOptions(**options).uses_tls is expected
    assert is_local(options["address"]) is not (expected or options.get("plaintext", False)) or "ca_file" in options


async def test_from_env_connects_there(service, monkeypatch):
    monkeypatch.setenv("BILLING_ADDRESS", service.address)
    monkeypatch.setenv("BILLING_API_KEY", "bill_test_key")
    with BillingClient.from_env() as client:
        client.list_packages()
    async with AsyncBillingClient.from_env() as client:
        await client.list_packages()
    assert [attempt.metadata["authorization"] for attempt in service.attempts] == ["Bearer bill_test_key"] * 2


async def test_mutual_tls(tmp_path):
    authority = trustme.CA()
    for name, certificate in (
        ("server", authority.issue_cert("localhost")),
        ("client", authority.issue_cert("metering")),
    ):
        certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    fake = FakeService()
    server = grpc.aio.server(handlers=(fake,))
    pair = ((tmp_path / "server.key").read_bytes(), (tmp_path / "server.pem").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), require_client_auth=True)
    port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    try:
        async with AsyncBillingClient(f"localhost:{port}", ca_file=tmp_path / "ca.pem") as client:
            assert not await client.is_serving(timeout_s=1)
        async with AsyncBillingClient(
            f"localhost:{port}",
            ca_file=tmp_path / "ca.pem",
            certificate_file=tmp_path / "client.pem",
            private_key_file=tmp_path / "client.key",
        ) as client:
            assert await client.is_serving(timeout_s=5)
    finally:
        await server.stop(None)
