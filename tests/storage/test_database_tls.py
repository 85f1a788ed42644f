"""Every mode of TLS that DATABASE_URL may ask for, and every certificate that may be met; on real servers, over real
sockets."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.storage.connecting import look, refusal
from tests.support.postgres_programs import HOST
from tests.support.tls_relay import Authority, Relay

HOURS = timedelta(hours=1)
ENCRYPTED = "SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)"

pytestmark = [
    pytest.mark.usefixtures("bare_machine"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""asyncpg says goodbye over TLS without waiting for the answer; a test ends first, and its sockets with it."""


@pytest.fixture
def authority(tmp_path):
    """Another one than the server's."""
    return Authority(tmp_path)


MODES = [
    ("localhost", {}, True),
    ("127.0.0.1", {}, True),
    ("127.0.0.1", {"sslmode": "disable"}, False),
    ("127.0.0.1", {"sslmode": "allow"}, False),
    ("127.0.0.1", {"sslmode": "prefer"}, True),
    ("127.0.0.1", {"sslmode": "require"}, True),
    ("127.0.0.1", {"sslmode": "require", "sslrootcert": "OWN"}, True),
    ("127.0.0.1", {"sslmode": "require", "sslrootcert": "OTHER"}, "the server's certificate is not good"),
    ("127.0.0.1", {"sslmode": "verify-ca", "sslrootcert": "OWN"}, True),
    ("127.0.0.1", {"sslmode": "verify-ca", "sslrootcert": "OTHER"}, "the server's certificate is not good"),
    ("127.0.0.1", {"sslmode": "verify-ca"}, "root certificate file"),
    ("127.0.0.1", {"sslmode": "verify-full", "sslrootcert": "OWN"}, True),
    ("127.0.0.1", {"sslmode": "verify-full", "sslrootcert": "OTHER"}, "the server's certificate is not good"),
    ("127.0.0.1", {"sslmode": "verify-full"}, "sslrootcert=FILE names the certificate of its authority"),
    ("127.0.0.1", {"sslrootcert": "system"}, "sslrootcert=FILE names the certificate of its authority"),
    ("127.0.0.1", {"channel_binding": "require"}, "channel_binding=require makes it sslmode=verify-full"),
    ("127.0.0.1", {"channel_binding": "require", "sslmode": "require", "sslrootcert": "OWN"}, True),
    (
        "127.0.0.1",
        {"channel_binding": "require", "sslmode": "require", "sslrootcert": "OTHER"},
        "the server's certificate is not good",
    ),
    ("127.0.0.1", {"channel_binding": "prefer", "sslmode": "require"}, True),
    ("127.0.0.1", {"sslmode": "require", "ssl_min_protocol_version": "TLSv1.3"}, True),
    ("127.0.0.1", {"sslmode": "require", "ssl_max_protocol_version": "TLSv1.2"}, True),
    (HOST, {}, "the server's certificate is not good"),
    (HOST, {"sslrootcert": "OWN"}, True),
    (HOST, {"sslrootcert": "OTHER"}, "the server's certificate is not good"),
    (HOST, {"sslmode": "disable"}, False),
    (HOST, {"sslmode": "require"}, True),
]


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("host", "options", "outcome"), MODES, ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else ""
)
async def test_modes(own_postgres, authority, host, options, outcome):
    files = {"OWN": str(own_postgres.authority.file), "OTHER": str(authority.file)}
    url = own_postgres.url(host=host, **{name: files.get(value, value) for name, value in options.items()})
    if isinstance(outcome, str):
        assert outcome in await refusal(url)
    elif own_postgres.kind == "debian":
        assert await look(url, ENCRYPTED) == (outcome, outcome)
    else:
        assert await look(url) == (outcome, 1)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    "options",
    [{}, {"sslmode": "verify-full"}, {"sslrootcert": "system"}, {"sslmode": "require", "channel_binding": "require"}],
)
async def test_the_authorities_of_the_system_are_asked_last(own_postgres, monkeypatch, options):
    monkeypatch.setenv("SSL_CERT_FILE", str(own_postgres.authority.file))
    assert await look(own_postgres.url(host=HOST, **options)) == (True, 1)


@pytest.mark.usefixtures("names")
async def test_the_users_own_file_of_authorities_goes_before_the_systems(
    own_postgres, authority, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSL_CERT_FILE", str(own_postgres.authority.file))
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_bytes(authority.file.read_bytes())
    assert "the server's certificate is not good" in await refusal(own_postgres.url(host=HOST))
    # as in libpq
    assert "the server's certificate is not good" in await refusal(own_postgres.url(host=HOST, sslmode="require"))
    assert await look(own_postgres.url(host=HOST, sslrootcert="system")) == (True, 1)
    monkeypatch.setenv("PGSSLROOTCERT", str(own_postgres.authority.file))
    assert await look(own_postgres.url(host=HOST)) == (True, 1)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_the_machines_variables_make_no_mode_weaker(own_postgres, monkeypatch, mode):
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert (await look(own_postgres.url(sslmode=mode, sslrootcert=str(own_postgres.authority.file))))[0]


async def test_a_certificate_of_another_name(own_postgres):
    chain = own_postgres.authority.certify("other.example.com")
    root = {"sslrootcert": str(own_postgres.authority.file)}
    with Relay(own_postgres, chain) as relay:
        url = own_postgres.url(host="localhost", port=relay.port, sslmode="verify-full", **root)
        assert "certificate is not valid for 'localhost'" in await refusal(url)
        assert await look(own_postgres.url(port=relay.port, sslmode="verify-ca", **root)) == (True, 1)


async def test_a_certificate_that_is_over(own_postgres):
    chain = own_postgres.authority.certify(
        "localhost", not_before=datetime.now(UTC) - 2 * HOURS, not_after=datetime.now(UTC) - HOURS
    )
    with Relay(own_postgres, chain) as relay:
        url = own_postgres.url(
            host="localhost", port=relay.port, sslmode="verify-full", sslrootcert=str(own_postgres.authority.file)
        )
        assert "certificate has expired" in await refusal(url)


@pytest.mark.usefixtures("names")
async def test_a_server_without_tls(own_postgres):
    plain = own_postgres.plain_port
    for options in ({}, {"sslmode": "require"}, {"sslmode": "verify-full"}, {"channel_binding": "require"}):
        assert "it refused TLS" in await refusal(own_postgres.url(host=HOST, port=plain, **options))
    for options in ({"sslmode": "disable"}, {"sslmode": "allow"}, {"sslmode": "prefer"}):
        assert await look(own_postgres.url(host=HOST, port=plain, **options)) == (False, 1)
    assert await look(own_postgres.url(port=plain)) == (False, 1)


@pytest.mark.usefixtures("names")
async def test_nothing_is_said_to_whoever_cannot_prove_who_it_is(own_postgres, authority):
    """The password never leaves: not to a server with a stranger's certificate, and not to one that says it has no
    TLS."""
    for certificate in (None, authority.certify(HOST)):
        with Relay(own_postgres, certificate) as relay:
            await refusal(own_postgres.url(host=HOST, port=relay.port, sslrootcert=str(own_postgres.authority.file)))
            assert relay.connections == 0


@pytest.mark.parametrize("mode", ["require", "verify-full"])
async def test_tls_from_the_first_byte(own_postgres, mode):
    with Relay(own_postgres, own_postgres.certificate) as relay:
        root = str(own_postgres.authority.file)
        url = own_postgres.url(port=relay.direct_port, sslmode=mode, sslnegotiation="direct", sslrootcert=root)
        assert await look(url) == (True, 1)
        if mode == "verify-full":
            system = own_postgres.url(port=relay.direct_port, sslmode=mode, sslnegotiation="direct")
            assert "unable to get local issuer certificate" in await refusal(system)


@pytest.mark.parametrize("roots", ["file", "system"])
async def test_a_client_certificate(own_postgres, monkeypatch, roots):
    chain, key = own_postgres.authority.certify(common_name="certified")
    monkeypatch.setenv("SSL_CERT_FILE", str(own_postgres.authority.file))
    trust = {"sslrootcert": str(own_postgres.authority.file)} if roots == "file" else {"sslrootcert": "system"}
    with Relay(own_postgres, own_postgres.certificate, client_authority=own_postgres.authority) as relay:
        given = own_postgres.url(port=relay.port, sslmode="verify-full", sslcert=str(chain), sslkey=str(key), **trust)
        assert await look(given) == (True, 1)
        words = await refusal(own_postgres.url(port=relay.port, sslmode="verify-full", **trust))
        assert "ALERT_CERTIFICATE_REQUIRED" in words or "Does it want a client certificate (sslcert)?" in words
        wrong = own_postgres.url(
            port=relay.port, sslmode="verify-full", sslcert=str(chain), sslkey=str(own_postgres.certificate[1]), **trust
        )
        assert "KEY_VALUES_MISMATCH" in await refusal(wrong)


async def test_what_only_the_server_can_say_of_tls(own_postgres):
    if own_postgres.kind != "debian":
        pytest.skip("the wheel's PostgreSQL is built without TLS")
    own_postgres.do("CREATE ROLE tlsonly LOGIN PASSWORD 'canary4242'", "CREATE ROLE certified LOGIN", "SELECT 1")
    try:
        assert await look(own_postgres.url("tlsonly", sslmode="allow"), ENCRYPTED) == (True, True)
        assert 'pg_hba.conf rejects connection for host "127.0.0.1", user "tlsonly"' in await refusal(
            own_postgres.url("tlsonly", sslmode="disable")
        )
        root = {"sslmode": "verify-full", "sslrootcert": str(own_postgres.authority.file)}
        chain, key = own_postgres.authority.certify(common_name="certified")
        url = own_postgres.url("certified", "", sslcert=str(chain), sslkey=str(key), **root)
        assert await look(url, "SELECT current_user") == (True, "certified")
        assert "connection requires a valid client certificate" in await refusal(
            own_postgres.url("certified", "", **root)
        )
    finally:
        own_postgres.do("DROP ROLE tlsonly", "DROP ROLE certified", "SELECT 1")
