"""Connects to PostgreSQL, for every command alike: the store's pool and the migrations get their connections here."""

import getpass
import os
import socket
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import asyncpg

from billing_service.storage.postgres.server import SYSTEM_ROOTS, Address, PostgresServer

CONNECT_TIMEOUT_S: Final = 5.0
"""For each address, where DATABASE_URL has no connect_timeout."""
APPLICATION_NAME: Final = "prepaid-billing"
_STARTING_UP: Final = "57P03"
_HUNG_UP: Final = (asyncpg.ConnectionDoesNotExistError, EOFError)
"""What answers takes connections and closes them: a balancer without a server does."""
_AUTHORITY_UNKNOWN: Final = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a certificate whose authority is not among those that are trusted."""


_TRUST_FILES: Final = {"sslrootcert": "certificate", "sslcrl": "list of revoked certificates"}


class CannotConnectError(Exception):
    """There is no connection to be had. One line for operators, in the server's own words where it has said anything;
    no secret."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        """The server's code for it; None where no server answered."""


class _NextAddressError(Exception):
    """Nobody to speak to at this address. Another one may do, as in libpq; a server's refusal of a password is the same
    everywhere."""


async def connect(server: PostgresServer, *_dsn: Any, **how: Any) -> Any:
    """An open connection. `how`: what `asyncpg.connect` takes besides; a pool gives it, and an empty DSN. Raises
    CannotConnectError."""
    preferred = server.target_session_attrs
    said: list[str] = []
    for attributes in ("standby", "any") if preferred == "prefer-standby" else (preferred,):
        said.clear()
        for address in server.addresses:
            try:
                return await _connect_to(server, address, attributes, how)
            except _NextAddressError as nobody:
                said.append(f"{address}: {nobody}")
    raise CannotConnectError(f"the database can't be reached: {'; '.join(said)}")


def connect_timeout_s(server: PostgresServer) -> float:
    """How long `connect` may take until it has tried every address."""
    return (server.connect_timeout_s or CONNECT_TIMEOUT_S) * len(server.addresses)


async def _connect_to(server: PostgresServer, address: Address, attributes: str, how: dict[str, Any]) -> Any:
    given = {"application_name": server.application_name or APPLICATION_NAME, "options": server.options}
    try:
        connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=_user(server),
            password=server.password,
            passfile=server.passfile,
            database=server.database,
            timeout=server.connect_timeout_s or CONNECT_TIMEOUT_S,
            server_settings={name: value for name, value in given.items() if value is not None},
            target_session_attrs=attributes,
            **_tls(server, address),
            **how,
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError) as error:
        words = _words(error, server, address)
        state = getattr(error, "sqlstate", None)
        if isinstance(error, (OSError, *_HUNG_UP, asyncpg.TargetServerAttributeNotMatched)) or state == _STARTING_UP:
            raise _NextAddressError(words) from error
        raise CannotConnectError(f"the database can't be used: {address}: {words}", state) from error
    if not address.is_socket:
        _keep_alive(connection, server)
    return connection


def _user(server: PostgresServer) -> str:
    try:
        return server.user or os.environ.get("PGUSER") or getpass.getuser()
    except (KeyError, OSError):
        raise CannotConnectError("DATABASE_URL names no user, and the one that runs this process has no name") from None


def _tls(server: PostgresServer, address: Address) -> dict[str, Any]:
    """asyncpg's arguments. It makes its context of libpq's words, but knows nothing of the authorities that the machine
    trusts."""
    mode = server.sslmode_at(address)
    if mode == "disable":
        return {"ssl": False}
    if mode == "verify-full" and not _has_roots(server):
        return {"ssl": _trusting_the_machine(server), "direct_tls": server.tls.get("sslnegotiation") == "direct"}
    return {"dsn": "postgresql://?" + urlencode({**server.tls, "sslmode": mode}, quote_via=quote)}


def _has_roots(server: PostgresServer) -> bool:
    given = server.tls.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    # There may be no home.
    return given != SYSTEM_ROOTS if given else Path(os.path.expanduser("~/.postgresql/root.crt")).exists()  # noqa: PTH111


def _trusting_the_machine(server: PostgresServer) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = _version(server, "min", ssl.TLSVersion.TLSv1_2)
    context.maximum_version = _version(server, "max", ssl.TLSVersion.MAXIMUM_SUPPORTED)
    context.set_alpn_protocols(["postgresql"])
    if "sslcert" in server.tls:
        context.load_cert_chain(
            server.tls["sslcert"], server.tls.get("sslkey"), lambda: server.tls.get("sslpassword", "")
        )
    if "sslcrl" in server.tls:
        context.load_verify_locations(server.tls["sslcrl"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return context


def _version(server: PostgresServer, which: str, default: ssl.TLSVersion) -> ssl.TLSVersion:
    name = server.tls.get(f"ssl_{which}_protocol_version")
    return ssl.TLSVersion[name.replace(".", "_")] if name else default


def _keep_alive(connection: Any, server: PostgresServer) -> None:
    """As libpq: on, in the system's rhythm unless the URL has one."""
    own = connection._transport.get_extra_info("socket")  # noqa: SLF001 - asyncpg has no other way to the socket
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(server.keepalives))
    options = (
        (socket.TCP_KEEPIDLE, server.keepalives_idle_s),
        (socket.TCP_KEEPINTVL, server.keepalives_interval_s),
        (socket.TCP_KEEPCNT, server.keepalives_count),
        (socket.TCP_USER_TIMEOUT, server.tcp_user_timeout_ms),
    )
    for option, value in options:
        if value is not None:
            own.setsockopt(socket.IPPROTO_TCP, option, value)


def _words(error: BaseException, server: PostgresServer, address: Address) -> str:
    """What went wrong, in one line: the server's words where they are its own, else what they mean here."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return f"the server there is not what target_session_attrs={server.target_session_attrs} asks for"
    if isinstance(error, _HUNG_UP) or (
        isinstance(error, ConnectionError) and not error.errno and "rejected" not in str(error)
    ):
        may_want_ours = server.sslmode_at(address) != "disable" and "sslcert" not in server.tls
        ours = " Does it want a client certificate (sslcert)?" if may_want_ours else ""
        return f"it closed the connection: is it PostgreSQL?{ours}"
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return first_line(error)
    if isinstance(error, TimeoutError):
        return f"no answer within {server.connect_timeout_s or CONNECT_TIMEOUT_S:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_words(error, server)
    if isinstance(error, ssl.SSLError):
        reason, unusable = getattr(error, "reason", None), _unusable_file(server)
        return (
            f"TLS failed: {unusable}{f' ({reason})' if reason else ''}"
            if unusable
            else f"TLS failed: {reason or first_line(error)}"
        )
    if isinstance(error, socket.gaierror):
        return f"the host is unknown: {error.strerror}"
    if "rejected SSL upgrade" in str(error):
        return (
            "it refused TLS, so it has none or is no PostgreSQL; sslmode=disable goes without, and lets others read "
            "and change all"
        )
    if isinstance(error, FileNotFoundError) and not address.is_socket:
        return "a file that DATABASE_URL names is not there"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else first_line(error)


def _unusable_file(server: PostgresServer) -> str | None:
    """Which of the URL's files is the reason that TLS failed: OpenSSL names none."""
    context, given = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), server.tls
    try:
        for word, contents in _TRUST_FILES.items():
            if given.get(word, SYSTEM_ROOTS) != SYSTEM_ROOTS:
                unusable = f"{word} has no {contents} in PEM"
                context.load_verify_locations(given[word])
        unusable = "sslcert has no certificate in PEM, or sslkey and sslpassword are not its own"
        if "sslcert" in given:
            context.load_cert_chain(given["sslcert"], given.get("sslkey"), lambda: given.get("sslpassword", ""))
    except (OSError, ValueError):
        return unusable
    return None


def _certificate_words(error: ssl.SSLCertVerificationError, server: PostgresServer) -> str:
    line = f"the server's certificate is not good: {error.verify_message.rstrip('.')}"
    if error.verify_code in _AUTHORITY_UNKNOWN:
        line += "; sslrootcert=FILE names the certificate of its authority"
    if server.channel_binding_required:
        line += "; channel_binding=require makes it sslmode=verify-full"
    return line


def first_line(error: BaseException) -> str:
    """An error's own words, without details and hints."""
    said = str(error).strip() if error.args else ""  # asyncpg's can't be shown without
    return (said.splitlines() or [type(error).__name__])[0]
