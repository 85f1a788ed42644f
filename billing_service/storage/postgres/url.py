"""URLs of PostgreSQL, as its own library, libpq, reads them:
`postgresql://user:password@host:port,host:port/database?word=value&…`.

What differs is said here. A scheme may be in any case. An `@` in a password need not be encoded, since no host has one.
A word that is given twice is refused. The database must be named. Without `sslmode`, a server beyond this machine must
prove who it is.
"""

import difflib
import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from billing_service.storage.postgres.server import SSL_MODES, SYSTEM_ROOTS, Address, PostgresServer

PORT: Final = 5432
PORT_MAX: Final = 65_535
# Where PostgreSQL's packages and its source put the socket.
DEFAULT_HOSTS: Final = ("/run/postgresql", "/tmp", "localhost")  # noqa: S108

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": SSL_MODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": ("TLSv1.2", "TLSv1.3"),
    "ssl_max_protocol_version": ("TLSv1.2", "TLSv1.3"),
    "channel_binding": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "keepalives": ("0", "1"),
    "gssencmode": ("disable", "prefer"),
    "client_encoding": ("utf8", "UTF8", "utf-8", "UTF-8"),
}
"""The last two say what is so anyway: the driver knows no encryption by GSSAPI and no other encoding."""
_NUMBERS: Final[Mapping[str, int]] = {
    "connect_timeout": 600,
    "keepalives_idle": 32_767,
    "keepalives_interval": 32_767,
    "keepalives_count": 127,
    "tcp_user_timeout": 2**31 - 1,
}
"""From 1 to this: what Linux takes."""
_TEXTS: Final = ("host", "port", "dbname", "user", "password", "passfile", "application_name", "options")
FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_TLS_WORDS: Final = (*FILES, "sslpassword")
_TLS_CHOICES: Final = ("sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version")
_WORDS: Final = (*_TEXTS, *_TLS_WORDS, *_CHOICES, *_NUMBERS)
_LIBPQ_ONLY: Final = frozenset(
    [
        "fallback_application_name",
        "gssdelegation",
        "gsslib",
        "hostaddr",
        "krbsrvname",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "oauth_client_id",
        "oauth_client_secret",
        "oauth_issuer",
        "oauth_scope",
        "replication",
        "requirepeer",
        "require_auth",
        "scram_client_key",
        "scram_server_key",
        "service",
        "servicefile",
        "sslcertmode",
        "sslcompression",
        "sslcrldir",
        "sslkeylogfile",
        "sslsni",
    ]
)
"""Words of libpq that the driver has nothing for."""

_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_HOST_NAME_CHARACTERS_MAX = 253
_AUTHORITY = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?")


class DatabaseUrlInvalid(ValueError):  # noqa: N818 - what it is; a ValueError, as validators of settings raise it
    """DATABASE_URL can't be used. The message holds nothing that may be part of a password."""


def parse_postgres_url(rest: str) -> PostgresServer:
    """Reads what comes after `postgresql://`. Raises DatabaseUrlInvalid."""
    credentials, hosts, path, query = _parts(rest)
    user, _, password = credentials.partition(":")
    names, ports = _authority(hosts)
    words = {
        "user": _decoded(user),
        "password": _decoded(password),
        "dbname": _decoded(path),
        "host": names,
        "port": ports,
    }
    words |= {name: value for name, value in _words(query).items() if value}
    words = {name: value for name, value in words.items() if value}
    _check_values(words)
    if "dbname" not in words:
        raise DatabaseUrlInvalid("must name the database: postgresql://host/database")
    server = PostgresServer(
        addresses=_addresses(words.get("host", ""), words.get("port", "")),
        database=words["dbname"],
        user=words.get("user"),
        password=words.get("password"),
        passfile=words.get("passfile"),
        sslmode=words.get("sslmode"),
        tls={name: words[name] for name in (*_TLS_WORDS, *_TLS_CHOICES) if name in words},
        channel_binding_required=words.get("channel_binding") == "require",
        application_name=words.get("application_name"),
        options=words.get("options"),
        connect_timeout_s=_number(words, "connect_timeout"),
        keepalives=words.get("keepalives") != "0",
        keepalives_idle_s=_number(words, "keepalives_idle"),
        keepalives_interval_s=_number(words, "keepalives_interval"),
        keepalives_count=_number(words, "keepalives_count"),
        tcp_user_timeout_ms=_number(words, "tcp_user_timeout"),
        target_session_attrs=words.get("target_session_attrs", "any"),
    )
    _check_contradictions(server)
    return server


def _parts(rest: str) -> tuple[str, str, str, str]:
    """User and password, hosts, path and query, each still encoded."""
    head, slash, tail = rest.partition("/")
    if "@" in tail.partition("?")[0]:
        raise DatabaseUrlInvalid(
            "has an @ after a /: write / as %2F in user and password, and @ as %40 in the name of the database"
        )
    credentials = ""
    first = head.find("@")
    if first >= 0:
        question = head.find("?", first)
        last = head.rfind("@", first, question if question >= 0 else len(head))
        credentials, head = head[:last], head[last + 1 :]
    place, _, query = (head + slash + tail).partition("?")
    hosts, _, path = place.partition("/")
    return credentials, hosts, path, query


def _decoded(text: str) -> str:
    if _PERCENT.search(text):
        raise DatabaseUrlInvalid("has a % that begins no encoded character: write it as %25")
    try:
        decoded = (
            _ENCODED.sub(lambda found: chr(int(found[1], 16)), text.encode().decode("latin-1"))
            .encode("latin-1")
            .decode()
        )
    except UnicodeDecodeError:
        raise DatabaseUrlInvalid("has encoded bytes that are no UTF-8") from None
    if "\0" in decoded:
        raise DatabaseUrlInvalid("has a %00 in it")
    return decoded


def _words(query: str) -> dict[str, str]:
    """The words of the query. A name that nobody knows is shown, unless it may be a part of a password with an & or a ?
    in it."""
    words: dict[str, str] = {}
    for item in query.split("&") if query else ():
        raw_name, equals, raw_value = item.partition("=")
        name, value = _decoded(raw_name), _decoded(raw_value)
        if (name, value) == ("ssl", "true"):  # as libpq, for URLs that were made for JDBC
            name, value = "sslmode", "require"
        if name in words:
            raise DatabaseUrlInvalid(f"says {name} twice")
        if name not in _WORDS or not equals:
            may_be_secret = "@" in query or not {"password", "sslpassword"}.isdisjoint(words)
            raise DatabaseUrlInvalid(_unknown(name, may_be_secret=may_be_secret))
        words[name] = value
    return words


def _unknown(name: str, *, may_be_secret: bool) -> str:
    if name in _LIBPQ_ONLY:
        return f"has the option {name}, which the service's driver does not support"
    if name in _WORDS:
        return f"has the option {name} without a value"
    if may_be_secret or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name):
        return "has something in its query that is no option; an & inside of a value is written as %26"
    close = difflib.get_close_matches(name.lower(), _WORDS, n=1, cutoff=0.7)
    return f"has the option {name}, which the service does not know" + (f"; did you mean {close[0]}?" if close else "")


def _check_values(words: Mapping[str, str]) -> None:
    for name, choices in _CHOICES.items():
        if name in words and words[name] not in choices:
            raise DatabaseUrlInvalid(f"{name} must be one of {', '.join(choices)}")
    for name, largest in _NUMBERS.items():
        if not _is_whole(words.get(name, "1"), largest):
            raise DatabaseUrlInvalid(f"{name} must be a whole number from 1 to {largest}")


def _is_whole(text: str, largest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(largest)) and 1 <= int(text) <= largest


def _number(words: Mapping[str, str], name: str) -> int | None:
    return int(words[name]) if name in words else None


def _authority(hosts: str) -> tuple[str, str]:
    """Hosts and ports of `host:port,host:port`, each joined by commas."""
    if not hosts:
        return "", ""
    found = [_AUTHORITY.fullmatch(entry) for entry in hosts.split(",")]
    entries = [match for match in found if match is not None]
    if len(entries) < len(found):
        raise DatabaseUrlInvalid(
            "must have its hosts as host:port, several with commas between them, and IPv6 as [address]:port"
        )
    names = [_decoded(match[1] if match[1] is not None else match[2]) for match in entries]
    return ",".join(names), ",".join(_decoded(match[3] or "") for match in entries)


def _addresses(hosts: str, ports: str) -> tuple[Address, ...]:
    names = hosts.split(",") if hosts else list(DEFAULT_HOSTS)
    numbers = ports.split(",")
    if len(numbers) == 1:
        numbers *= len(names)
    if len(numbers) != len(names):
        raise DatabaseUrlInvalid(f"has {len(names)} hosts and {len(numbers)} ports")
    return tuple(Address(_host(name), _port(number)) for name, number in zip(names, numbers, strict=True))


def _host(name: str) -> str:
    if name.startswith("/") or (len(name) <= _HOST_NAME_CHARACTERS_MAX and _HOST_NAME.fullmatch(name)):
        return name
    try:
        ipaddress.ip_address(name)
    except ValueError:
        raise DatabaseUrlInvalid("has a host that is no name, no IP address and no directory of a socket") from None
    return name


def _port(number: str) -> int:
    if number and not _is_whole(number, PORT_MAX):
        raise DatabaseUrlInvalid(f"has a port that is no number from 1 to {PORT_MAX}")
    return int(number or PORT)


def _check_contradictions(server: PostgresServer) -> None:
    modes = {server.sslmode_at(address) for address in server.addresses if not address.is_socket}
    if server.channel_binding_required and (
        server.sslmode == "disable" or any(address.is_socket for address in server.addresses)
    ):
        raise DatabaseUrlInvalid(
            "channel_binding=require needs TLS, which there is none of on a socket and with sslmode=disable"
        )
    if server.tls.get("sslrootcert") == SYSTEM_ROOTS and modes - {"verify-full"}:
        raise DatabaseUrlInvalid("sslrootcert=system needs sslmode=verify-full")
    if server.tls.get("sslnegotiation") == "direct" and modes & {"disable", "allow", "prefer"}:
        raise DatabaseUrlInvalid("sslnegotiation=direct needs sslmode=require or a stronger one")
    versions = [
        server.tls.get(f"ssl_{which}_protocol_version", default)
        for which, default in (("min", "TLSv1.2"), ("max", "TLSv1.3"))
    ]
    if versions[0] > versions[1]:
        raise DatabaseUrlInvalid("ssl_min_protocol_version is above ssl_max_protocol_version")
