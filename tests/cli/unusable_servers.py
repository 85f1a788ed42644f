"""URLs of PostgreSQL servers that cannot be used: none there, none that answers, none that is trusted."""

from tests.support.postgres_programs import PASSWORD
from tests.support.tls_relay import Authority, Relay


def not_there(server, silent, closing):
    """URLs that lead nowhere, or to something that refuses, each with what is said."""
    tls = server.tls_port
    timed_out = f"can't be reached: 127.0.0.1:{silent}: no answer within 1 s"
    wrong_password = f"can't be used: 127.0.0.1:{tls}: password authentication failed for user "
    yield server.url(port=1), "can't be reached: 127.0.0.1:1: Connection refused"
    yield server.url(host="localhost", port=1), "can't be reached: localhost:1: "
    yield server.url(port=silent, connect_timeout="1", sslmode="disable"), timed_out
    yield server.url(port=silent, connect_timeout="1", sslmode="require"), timed_out
    yield (
        server.url(port=closing, sslmode="disable"),
        f"can't be reached: 127.0.0.1:{closing}: it closed the connection: is it PostgreSQL?",
    )
    yield (
        server.url(port=closing, sslmode="require"),
        f"can't be reached: 127.0.0.1:{closing}: |it closed the connection|Connection reset",
    )
    yield (
        server.url(host="no-such-host.invalid"),
        f"can't be reached: no-such-host.invalid:{tls}: the host is unknown: ",
    )
    yield server.url(host="no-such-host.invalid,127.0.0.1", port=1), "; 127.0.0.1:1: Connection refused"
    yield (
        f"postgresql://u:{PASSWORD}@/d?host=/no/such",
        "can't be reached: /no/such/.s.PGSQL.5432: No such file or directory",
    )
    yield server.url(password="wrong" + PASSWORD), f'{wrong_password}"postgres"'
    yield server.url("nobody"), f'{wrong_password}"nobody"'
    yield server.url(database="not_there"), f'can\'t be used: 127.0.0.1:{tls}: database "not_there" does not exist'
    yield server.url(options="-c no_such=1"), 'unrecognized configuration parameter "no_such"'
    yield (
        server.url(target_session_attrs="standby"),
        "the server there is not what target_session_attrs=standby asks for",
    )
    yield (
        server.url("poor", database="guarded"),
        "migration|permission denied for schema public|no schema has been selected",
    )


def not_trusted(server, directory, stack):
    """URLs whose server proves nothing, or wants a proof, each with what is said."""
    stranger = Authority(directory)
    elsewhere = stack.enter_context(Relay(server, server.authority.certify("elsewhere.example.com")))
    certified = stack.enter_context(Relay(server, server.certificate, client_authority=stranger))
    plain, root = server.plain_port, {"sslrootcert": str(server.authority.file)}
    not_text = directory / "not.pem"
    not_text.write_text("canary")
    yield (
        server.url(port=plain, sslmode="require"),
        f"127.0.0.1:{plain}: it refused TLS, so it has none or is no PostgreSQL",
    )
    yield server.url(port=plain, sslmode="verify-full", **root), "it refused TLS"
    yield server.url(port=plain, channel_binding="require"), "it refused TLS"
    yield server.url(sslmode="verify-full", sslrootcert=str(stranger.file)), "the server's certificate is not good: "
    yield (
        server.url(sslmode="verify-full", sslrootcert="system"),
        "sslrootcert=FILE names the certificate of its authority",
    )
    yield server.url(port=elsewhere.port, sslmode="verify-full", **root), "certificate is not valid for '127.0.0.1'"
    yield server.url(port=certified.port, sslmode="verify-full", **root), f"127.0.0.1:{certified.port}: "
    yield (
        server.url(sslmode="verify-full", sslrootcert=str(not_text)),
        "TLS failed: sslrootcert has no certificate in PEM",
    )
    yield (
        server.url(sslmode="verify-full", sslcrl=str(not_text), **root),
        "TLS failed: sslcrl has no list of revoked certificates in PEM",
    )
    own = "TLS failed: sslcert has no certificate in PEM, or sslkey and sslpassword are not its own"
    yield server.url(sslmode="verify-full", sslcert=str(not_text), **root), own
    yield server.url(sslmode="require", sslcert=str(not_text), sslkey=str(not_text)), own
    yield server.url(sslmode="verify-full", sslrootcert="system", sslcert=str(not_text)), own
