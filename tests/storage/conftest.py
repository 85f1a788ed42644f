"""Servers that tests configure themselves, and a name that seems to be of another machine."""

import gc
import socket
from contextlib import ExitStack

import pytest

from tests.support.postgres_programs import BINARIES, HOST, own_server, pgbouncer, started


@pytest.fixture(scope="session", params=list(BINARIES))
def own_postgres(request):
    """A server with passwords, of Debian and from the wheel."""
    with ExitStack() as stack:
        yield started(stack, own_server(request.param))


@pytest.fixture(scope="session")
def own_standby(own_postgres):
    """A server of the same kind that only reads, because it recovers for ever."""
    with ExitStack() as stack:
        yield started(stack, own_server(own_postgres.kind, standby=True))


@pytest.fixture
def pooled(own_postgres):
    """Starts pgbouncer before a server, in a mode and with options; answers its port."""
    with ExitStack() as stack:
        yield lambda pool_mode, **options: started(stack, pgbouncer(own_postgres, pool_mode, **options))


@pytest.fixture
def names(monkeypatch):
    """Leads HOST back to this machine."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **how: resolve("127.0.0.1" if host == HOST else host, *rest, **how)
    )


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """Nothing of whoever runs the tests is trusted, or sent along."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    for name in ("PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLMODE", "PGPASSWORD", "PGPASSFILE", "PGUSER", "PGHOST"):
        monkeypatch.delenv(name, raising=False)
    yield
    gc.collect()
