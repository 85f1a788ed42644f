"""DATABASE_URL is read as libpq reads it, for every command alike; what can't be read is refused without a word of a
password."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.storage.database_url import DatabaseUrlInvalid, SqliteFile, parse_database_url
from billing_service.storage.postgres.server import Address, PostgresServer

CANARY = "canary4242"
U = f"postgresql://u:{CANARY}@"

REFUSED = [
    ("", "must be sqlite:///file or"),
    (CANARY, "must be sqlite:///file or"),
    (f"mysql://u:{CANARY}@h/d", "must be sqlite:///file or"),
    (f"jdbc:postgresql://h/d?password={CANARY}", "must be sqlite:///file or"),
    (f"postgresql+{CANARY}://h/d", "must be sqlite:///file or"),
    ("postgresql:/h/d", "must be sqlite:///file or"),
    ("sqlite:x.db", "must be sqlite:///file or"),
    ("sqlite://", "needs three slashes"),
    ("sqlite://x.db", "needs three slashes"),
    ("sqlite:///", "must name a file"),
    ("sqlite:///var/", "must name a file"),
    ("sqlite:///.", "must name a file"),
    ("sqlite:///var/..", "must name a file"),
    ("sqlite:////.", "must name a file"),
    ("sqlite://:memory:", "can't share a memory"),
    ("sqlite:///:memory:", "can't share a memory"),
    ("sqlite:///:memory:?cache=shared", "can't share a memory"),
    ("sqlite:///file:x.db?mode=memory", "can't share a memory"),
    ("sqlite:///x.db?mode=ro", "has a ? in it"),
    ("sqlite:///x\n.db", "control character"),
    (f"{U}h/d\nx", "control character"),
    (f"postgresql://u:{CANARY}\0@h/d", "control character"),
    (f"{U}h", "must name the database"),
    (f"{U}h/", "must name the database"),
    (f"{U}h?sslmode=require", "must name the database"),
    ("postgresql://", "must name the database"),
    (f"{U}h:port/d", "has a port that is no number"),
    (f"{U}h:0/d", "has a port that is no number"),
    (f"{U}h:65536/d", "has a port that is no number"),
    (f"{U}h:{'9' * 5000}/d", "has a port that is no number"),
    (f"{U}h:5432:5433/d", "must have its hosts as host:port"),
    (f"{U}::1/d", "must have its hosts as host:port"),
    (f"{U}[::1/d", "must have its hosts as host:port"),
    (f"{U}[::g]/d", "has a host that is no name"),
    (f"{U}db..example.com/d", "has a host that is no name"),
    (f"{U}{'a' * 64}.example.com/d", "has a host that is no name"),
    (f"{U}{'a.' * 127}aa/d", "has a host that is no name"),
    (f"{U}h_ö/d", "has a host that is no name"),
    (f"{U}a,,b/d", "has a host that is no name"),
    (f"{U}/d?host=h:5432", "has a host that is no name"),
    (f"{U}/d?host=./socket", "has a host that is no name"),
    (f"{U}a,b/d?port=1,2,3", "has 2 hosts and 3 ports"),
    (f"postgresql://u:{CANARY}/x@h/d", "has an @ after a /"),
    (f"postgresql://u:{CANARY}@1234/x@h/d", "has an @ after a /"),
    (f"postgresql://u:{CANARY}%@h/d", "has a % that begins no encoded character"),
    (f"postgresql://u:{CANARY}%zz@h/d", "has a % that begins no encoded character"),
    (f"postgresql://u:{CANARY}%ff@h/d", "are no UTF-8"),
    (f"postgresql://u:{CANARY}%00@h/d", "has a %00 in it"),
    (f"{U}h/d?sslmod=require", "has the option sslmod, which the service does not know; did you mean sslmode?"),
    (f"{U}h/d?sslMode=require", "did you mean sslmode?"),
    (f"{U}h/d?pgbouncer=true", "has the option pgbouncer, which the service does not know"),
    (f"{U}h/d?ssl=verify-full", "has the option ssl, which the service does not know"),
    (f"{U}h/d?statement_timeout=5", "has the option statement_timeout, which the service does not know"),
    (f"{U}h/d?hostaddr=127.0.0.1", "has the option hostaddr, which the service's driver does not support"),
    (f"{U}h/d?service=x", "has the option service, which the service's driver does not support"),
    (f"{U}h/d?sslmode", "has the option sslmode without a value"),
    (f"{U}h/d?sslmode=disable&sslmode=require", "says sslmode twice"),
    (f"{U}h/d?ssl=true&sslmode=disable", "says sslmode twice"),
    (f"{U}h/d?&", "something in its query that is no option"),
    (f"postgresql://h/d?password=x&{CANARY}=y", "something in its query that is no option"),
    (f"postgresql://h/d?sslpassword=x&{CANARY}", "something in its query that is no option"),
    (f"postgresql://u:p@h?{CANARY}=x@h/d", "something in its query that is no option"),
    (f"{U}h/d?{'a' * 41}=y", "something in its query that is no option"),
    (f"{U}h/d?sslmode=no-verify", "sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full"),
    (f"{U}h/d?sslmode=REQUIRE", "sslmode must be one of"),
    (f"{U}h/d?channel_binding=yes", "channel_binding must be one of"),
    (f"{U}h/d?target_session_attrs=master", "target_session_attrs must be one of"),
    (f"{U}h/d?gssencmode=require", "gssencmode must be one of"),
    (f"{U}h/d?client_encoding=latin1", "client_encoding must be one of"),
    (f"{U}h/d?keepalives=on", "keepalives must be one of"),
    (f"{U}h/d?ssl_min_protocol_version=TLSv1", "ssl_min_protocol_version must be one of"),
    (f"{U}h/d?connect_timeout=0", "connect_timeout must be a whole number from 1 to 600"),
    (f"{U}h/d?connect_timeout=2.5", "connect_timeout must be a whole number"),
    (f"{U}h/d?connect_timeout=-1", "connect_timeout must be a whole number"),
    (f"{U}h/d?keepalives_idle=x", "keepalives_idle must be a whole number"),
    (f"{U}h/d?keepalives_count={'9' * 5000}", "keepalives_count must be a whole number"),
    (f"{U}h/d?sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
    (f"{U}h/d?sslmode=prefer&sslnegotiation=direct", "sslnegotiation=direct needs"),
    (f"{U}localhost/d?sslnegotiation=direct", "sslnegotiation=direct needs"),
    (f"{U}h/d?channel_binding=require&sslmode=disable", "channel_binding=require needs TLS"),
    (f"{U}/d?host=/run/pg&channel_binding=require", "channel_binding=require needs TLS"),
    (f"{U}h/d?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2", "is above ssl_max_protocol_version"),
]


@pytest.mark.parametrize(("url", "words"), REFUSED, ids=lambda value: re.sub(r"\W+", " ", value)[:40])
def test_what_cannot_be_read_is_refused_in_one_line(url, words):
    with pytest.raises(DatabaseUrlInvalid, match=re.escape(words)) as caught:
        parse_database_url(url)
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert CANARY not in shown
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///a.db", "a.db"),
        ("sqlite:////v/a.db", "/v/a.db"),
        ("sqlite+aiosqlite:///a.db", "a.db"),
        ("SQLite:///a.db", "a.db"),
        (" sqlite:///a.db\n", "a.db"),
        ("sqlite:///a b#%41.db", "a b#%41.db"),
        ("sqlite:///var/é.db", "var/é.db"),
    ],
)
def test_files_of_sqlite(url, path):
    assert parse_database_url(url) == SqliteFile(Path(path))


HOSTS = [
    ("h/d", [("h", 5432)]),
    ("h:5433/d", [("h", 5433)]),
    ("db-1.example.com./d", [("db-1.example.com.", 5432)]),
    ("10.0.0.1:1/d", [("10.0.0.1", 1)]),
    ("[::1]/d", [("::1", 5432)]),
    ("[fe80::1%25eth0]:7/d", [("fe80::1%eth0", 7)]),
    ("a:1,b,c:3/d", [("a", 1), ("b", 5432), ("c", 3)]),
    ("a,b/d?port=7", [("a", 7), ("b", 7)]),
    ("a,b/d?port=7,8", [("a", 7), ("b", 8)]),
    ("a:1/d?host=b", [("b", 1)]),
    ("/d?host=a,b&port=1,2", [("a", 1), ("b", 2)]),
    ("/d?host=::1", [("::1", 5432)]),
    ("/d?host=/cloudsql/p:r:i", [("/cloudsql/p:r:i", 5432)]),
    ("localhost/d?host=%2Frun%2Fpg&port=5433", [("/run/pg", 5433)]),
    ("%2Frun%2Fpg/d", [("/run/pg", 5432)]),
    ("%2Fcloudsql%2Fp%3Ar%3Ai:6/d", [("/cloudsql/p:r:i", 6)]),
    ("/d?host=/run/pg,db.example.com", [("/run/pg", 5432), ("db.example.com", 5432)]),
    ("/d", [("/run/postgresql", 5432), ("/tmp", 5432), ("localhost", 5432)]),
    (":5433/d", [("/run/postgresql", 5433), ("/tmp", 5433), ("localhost", 5433)]),
]


@pytest.mark.parametrize(("rest", "addresses"), HOSTS)
@pytest.mark.parametrize(
    "scheme",
    ["postgresql", "postgres", "PostgreSQL", "postgresql+asyncpg", "postgresql+psycopg2", "postgresql+psycopg"],
)
@pytest.mark.parametrize("credentials", ["", "u:p%40@"])
def test_hosts(scheme, credentials, rest, addresses):
    read = parse_database_url(f"{scheme}://{credentials}{rest}")
    assert (read.addresses, read.database) == (tuple(Address(*pair) for pair in addresses), "d")
    assert (read.user, read.password) == (("u", "p@") if credentials else (None, None))


@pytest.mark.parametrize(
    ("credentials", "user", "password"),
    [
        ("u", "u", None),
        ("u:", "u", None),
        ("u:p", "u", "p"),
        ("u%40example.com:p", "u@example.com", "p"),
        ("u:p%40q%3A%2F%3F%23%25%20+", "u", "p@q:/?#% +"),
        ("u:a:b", "u", "a:b"),
        ("u:a@b@c", "u", "a@b@c"),
        ("u:a?b", "u", "a?b"),
        ("u:a#b", "u", "a#b"),
        ("u:a[b", "u", "a[b"),
        ("u:a b&c=d", "u", "a b&c=d"),
        ("u:ä€", "u", "ä€"),
        ("u:%C3%A4", "u", "ä"),
        (":p", None, "p"),
    ],
)
def test_users_and_passwords(credentials, user, password):
    read = parse_database_url(f"postgresql://{credentials}@h:5/d?application_name=a%40b@c")
    assert (read.user, read.password, read.addresses, read.application_name) == (
        user,
        password,
        (Address("h", 5),),
        "a@b@c",
    )
    assert "password" not in repr(read)


@given(user=st.text(min_size=1), password=st.text(min_size=1), database=st.text(min_size=1), word=st.text(min_size=1))
def test_whatever_is_encoded_comes_back(user, password, database, word):
    given = [user, password, database, word]
    if any("\0" in text for text in given) or any(0xD800 <= ord(letter) <= 0xDFFF for text in given for letter in text):
        return  # no URL can have those
    user_, password_, database_, word_ = (quote(text, safe="") for text in given)
    read = parse_database_url(f"postgresql://{user_}:{password_}@h/{database_}?options={word_}")
    assert [read.user, read.password, read.database, read.options] == given


def refusal_of(url):
    """What is said of a URL that can't be read; None of one that can."""
    try:
        assert isinstance(parse_database_url(url), PostgresServer | SqliteFile)
    except DatabaseUrlInvalid as refusal:
        return str(refusal)
    return None


@given(st.text(alphabet="sqlitepogr:/@?&=%+#[],.0aé\n ", max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text):
    for url in (text, f"postgresql://{text}", f"sqlite://{text}"):
        assert "\n" not in (refusal_of(url) or "")


def test_every_option():
    read = parse_database_url(
        f"{U}h/d?sslmode=verify-ca&sslrootcert=/r.crt&sslcert=/c.crt&sslkey=/c.key&sslpassword=k%26&sslcrl=/r.crl&sslnegotiation=direct"
        "&ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3&channel_binding=prefer&application_name=shop"
        "&options=-c%20search_path%3Dbilling&connect_timeout=3&keepalives=1&keepalives_idle=30&keepalives_interval=5&keepalives_count=4"
        "&tcp_user_timeout=9000&target_session_attrs=read-write&gssencmode=disable&client_encoding=UTF8&passfile=/pw&user=v&dbname=e"
    )
    assert read == PostgresServer(
        addresses=(Address("h", 5432),),
        database="e",
        user="v",
        password=CANARY,
        passfile="/pw",
        sslmode="verify-ca",
        tls={
            "sslrootcert": "/r.crt",
            "sslcert": "/c.crt",
            "sslkey": "/c.key",
            "sslpassword": "k&",
            "sslcrl": "/r.crl",
            "sslnegotiation": "direct",
            "ssl_min_protocol_version": "TLSv1.2",
            "ssl_max_protocol_version": "TLSv1.3",
        },
        application_name="shop",
        options="-c search_path=billing",
        connect_timeout_s=3,
        keepalives_idle_s=30,
        keepalives_interval_s=5,
        keepalives_count=4,
        tcp_user_timeout_ms=9000,
        target_session_attrs="read-write",
    )


def test_a_plus_is_a_plus_and_an_empty_value_is_none():
    read = parse_database_url(f"{U}h/d?application_name=a+b&options=&password=&sslmode=")
    assert (read.application_name, read.options, read.password, read.sslmode) == ("a+b", None, CANARY, None)


MODES = [
    ("h/d", "verify-full", None),
    ("10.1.2.3/d", "verify-full", None),
    ("localhost/d", "prefer", None),
    ("LOCALHOST/d", "prefer", None),
    ("127.0.0.1/d", "prefer", None),
    ("127.1.2.3/d", "prefer", None),
    ("[::1]/d", "prefer", None),
    ("/d?host=/run/pg", "disable", None),
    ("/d?host=/run/pg&sslmode=verify-full", "disable", None),
    ("localhost/d?sslrootcert=system", "verify-full", None),
    ("localhost/d?sslmode=disable", "disable", None),
    ("h/d?sslmode=verify-full", "verify-full", None),
    ("h/d?sslmode=verify-ca&sslrootcert=/r", "verify-ca", None),
    ("h/d?sslmode=require", "require", "does not find out who answers at h:5432"),
    ("h/d?sslmode=require&sslrootcert=/r", "require", "does not find out whose certificate it is at h:5432"),
    ("h/d?ssl=true", "require", "does not find out who answers at h:5432"),
    ("h/d?sslmode=prefer", "prefer", "lets others read and change what goes to h:5432"),
    ("h/d?sslmode=allow", "allow", "lets others read and change what goes to h:5432"),
    ("[2001:db8::1]/d?sslmode=disable", "disable", "lets others read and change what goes to [2001:db8::1]:5432"),
    ("h/d?sslmode=require&channel_binding=require", "verify-full", None),
    ("h/d?channel_binding=prefer", "verify-full", None),
    ("h/d?sslmode=require&channel_binding=disable", "require", "does not find out who answers"),
]


@pytest.mark.parametrize(("rest", "mode", "weakness"), MODES)
def test_the_mode_in_force_and_what_is_said_of_it(rest, mode, weakness):
    read = parse_database_url(f"postgresql://{rest}")
    assert read.sslmode_at(read.addresses[0]) == mode
    assert read.weakness is None if weakness is None else weakness in read.weakness


def test_each_address_has_its_own_default():
    read = parse_database_url("postgresql:///d?host=/run/pg,localhost,db.example.com")
    assert [read.sslmode_at(address) for address in read.addresses] == ["disable", "prefer", "verify-full"]
    weak = parse_database_url("postgresql://localhost,db.example.com/d?sslmode=prefer")
    assert "db.example.com:5432" in weak.weakness
