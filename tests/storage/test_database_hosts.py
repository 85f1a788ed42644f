"""Passwords, sockets, several hosts, keepalives and options of DATABASE_URL; on real servers, over real sockets."""

import socket
import ssl
from urllib.parse import quote

import asyncpg
import pytest

from billing_service.storage.database_url import parse_database_url
from billing_service.storage.migrate import check_schema, migrate
from billing_service.storage.postgres.connect import CannotConnectError, connect
from billing_service.storage.postgres.store import open_postgres
from tests.storage.connecting import look, refusal
from tests.support.postgres_programs import HOST, PASSWORD
from tests.support.tls_relay import closing_port, silent_port

pytestmark = [
    pytest.mark.usefixtures("bare_machine"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""asyncpg says goodbye over TLS without waiting for the answer; a test ends first, and its sockets with it."""


@pytest.mark.parametrize("password", ["p@ss:w/o?r#d", "100%[ü] +&=", "'\"\\;", " "])
async def test_odd_passwords(own_postgres, password):
    name = f"odd-{abs(hash(password))}@example.com"
    own_postgres.do(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{password.replace(chr(39), chr(39) * 2)}'", "SELECT 1")
    try:
        assert await look(own_postgres.url(name, password), "SELECT current_user") == (True, name)
        raw = password.replace("%", "%25").replace("/", "%2F").replace("?", "%3F")
        url = f"postgresql://{quote(name, safe='')}:{raw}@127.0.0.1:{own_postgres.tls_port}/postgres"
        assert await look(url, "SELECT current_user") == (True, name)
        wrong = await refusal(own_postgres.url(name, "canary4242"))
        assert f'password authentication failed for user "{name}"' in wrong
    finally:
        own_postgres.do(f'DROP ROLE "{name}"', "SELECT 1")


async def test_the_password_may_come_from_the_machine(own_postgres, monkeypatch, tmp_path):
    url = own_postgres.url(password="")
    assert "password authentication failed" in await refusal(url)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert (await look(url))[1] == 1
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "passwords").write_text(f"127.0.0.1:{own_postgres.tls_port}:*:postgres:{PASSWORD}\n")
    (tmp_path / "passwords").chmod(0o600)
    assert (await look(f"{url}?passfile={tmp_path / 'passwords'}"))[1] == 1


async def test_a_process_without_a_name(own_postgres, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: {}["no such user"])
    with pytest.raises(CannotConnectError, match="names no user"):
        await connect(parse_database_url(f"postgresql://127.0.0.1:{own_postgres.tls_port}/postgres"))


async def test_sockets(own_postgres):
    encoded = quote(str(own_postgres.directory), safe="")
    for url in (
        own_postgres.socket_url(),
        f"postgresql://postgres:{PASSWORD}@{encoded}:{own_postgres.port}/postgres?sslmode=verify-full",
    ):
        assert await look(url) == (False, 1)
    missing = f"postgresql://postgres:{PASSWORD}@{encoded}:1/postgres"
    assert (
        await refusal(missing)
        == f"the database can't be reached: {own_postgres.directory}/.s.PGSQL.1: No such file or directory"
    )


async def test_a_dead_first_host(own_postgres):
    """One that refuses, one whose name is unknown, one that never answers: each costs its own time, and the next is
    asked."""
    with silent_port() as silent:
        hosts = f"127.0.0.1:1,no-such-host.invalid,127.0.0.1:{silent},127.0.0.1:{own_postgres.tls_port}"
        url = f"postgresql://postgres:{PASSWORD}@{hosts}/postgres?connect_timeout=1&sslmode=prefer"
        assert await look(url) == (True, 1)
        words = await refusal(url.rpartition(",")[0] + "/postgres?connect_timeout=1&sslmode=prefer")
    assert words.startswith("the database can't be reached: 127.0.0.1:1: ")
    assert "; no-such-host.invalid:5432: the host is unknown: " in words
    assert words.endswith(f"; 127.0.0.1:{silent}: no answer within 1 s")


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
async def test_a_first_host_that_hangs_up(own_postgres, mode):
    """As a balancer does that has no server."""
    with closing_port() as closing:
        port = own_postgres.plain_port if mode == "disable" else own_postgres.tls_port
        url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{closing},127.0.0.1:{port}/postgres?sslmode={mode}"
        assert await look(url) == (mode != "disable", 1)


async def test_a_refusal_of_the_password_asks_no_other_host(own_postgres):
    url = f"postgresql://postgres:wrong@127.0.0.1:{own_postgres.tls_port},127.0.0.1:1/postgres"
    words = await refusal(url)
    assert (
        words
        == f"the database can't be used: 127.0.0.1:{own_postgres.tls_port}: password authentication failed for user "
        f'"postgres"'
    )


@pytest.mark.parametrize(
    ("attributes", "among_both", "of_the_primary"),
    [
        ("any", "standby", "primary"),
        ("read-write", "primary", "primary"),
        ("primary", "primary", "primary"),
        ("read-only", "standby", None),
        ("standby", "standby", None),
        ("prefer-standby", "standby", "primary"),
    ],
)
async def test_which_host_is_taken(own_postgres, own_standby, attributes, among_both, of_the_primary):
    asked = f"/postgres?sslmode=prefer&target_session_attrs={attributes}"
    primary = f"127.0.0.1:{own_postgres.tls_port}"
    for hosts, expected in ((f"127.0.0.1:{own_standby.tls_port},{primary}", among_both), (primary, of_the_primary)):
        url = f"postgresql://postgres:{PASSWORD}@{hosts}{asked}"
        if expected is None:
            why = f"the server there is not what target_session_attrs={attributes} asks for"
            assert await refusal(url) == f"the database can't be reached: {primary}: {why}"
        else:
            assert await look(url, "SELECT pg_is_in_recovery()") == (True, expected == "standby")


KEEPALIVES = [
    ({}, (1, None, None, None, None)),
    ({"keepalives": "0"}, (0, None, None, None, None)),
    (
        {"keepalives_idle": "31", "keepalives_interval": "7", "keepalives_count": "4", "tcp_user_timeout": "9000"},
        (1, 31, 7, 4, 9000),
    ),
]


@pytest.mark.parametrize(("options", "expected"), KEEPALIVES)
async def test_keepalives(own_postgres, options, expected):
    connection = await connect(parse_database_url(own_postgres.url(**options)))
    try:
        own = connection._transport.get_extra_info("socket")
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        found = (
            own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            *(own.getsockopt(socket.IPPROTO_TCP, name) for name in names),
        )
    finally:
        await connection.close()
    assert all(wanted is None or value == wanted for value, wanted in zip(found, expected, strict=True)), found


async def test_names_and_options_reach_the_server(own_postgres):
    url = own_postgres.url(application_name="shop & co", options="-c search_path=billing -c work_mem=1MB")
    settings = ", ".join(f"current_setting('{name}')" for name in ("application_name", "search_path", "work_mem"))
    asked = f"SELECT concat_ws('/', {settings})"
    assert await look(url, asked) == (True, "shop & co/billing/1MB")
    assert await look(own_postgres.url(), "SHOW application_name") == (True, "prepaid-billing")
    words = await refusal(own_postgres.url(options="-c no_such=1"))
    assert words.endswith('unrecognized configuration parameter "no_such"')


@pytest.mark.usefixtures("names")
async def test_migrations_and_the_store_connect_alike(own_postgres):
    """Everything that a provider's URL may say, for SQLAlchemy's connection and for the pool's."""
    own_postgres.do("CREATE DATABASE handed_out", "SELECT 1")
    try:
        database = parse_database_url(
            own_postgres.url(
                host=HOST,
                database="handed_out",
                sslmode="require",
                channel_binding="require",
                sslrootcert=str(own_postgres.authority.file),
                application_name="shop",
                options="-c work_mem=1MB",
                connect_timeout="10",
                keepalives="1",
                keepalives_idle="30",
                target_session_attrs="read-write",
            )
        )
        await migrate(database)
        await check_schema(database)
        store = await open_postgres(database)
        await store.probe()
        seen = own_postgres.do("SELECT application_name FROM pg_stat_activity WHERE datname = 'handed_out'")
        await store.close()
        assert seen == [("shop",)]
    finally:
        own_postgres.do("DROP DATABASE handed_out", "SELECT 1")


async def test_limits_outlive_what_the_url_says(own_postgres):
    """`options` can't take away what the ledger rests on."""
    own_postgres.do("CREATE DATABASE careless", "SELECT 1")
    try:
        url = own_postgres.url(database="careless", options="-c statement_timeout=0 -c synchronous_commit=off")
        await migrate(parse_database_url(url))
        store = await open_postgres(parse_database_url(url))
        async with store._pool.acquire() as connection:
            assert await connection.fetchval("SHOW statement_timeout") == "5s"
            assert await connection.fetchval("SHOW synchronous_commit") == "on"
        await store.close()
    finally:
        own_postgres.do("DROP DATABASE careless", "SELECT 1")


async def test_an_error_of_the_driver_is_never_a_traceback(own_postgres, monkeypatch):
    """What else asyncpg may raise."""
    del own_postgres
    for error in (
        asyncpg.InternalClientError("odd\nmore"),
        asyncpg.InterfaceError("odd"),
        ssl.SSLError(1, "odd"),
        OSError("odd"),
        EOFError(),
    ):

        async def failing(*_, error=error, **__):
            raise error

        monkeypatch.setattr(asyncpg, "connect", failing)
        assert await refusal("postgresql://u@h/d")
