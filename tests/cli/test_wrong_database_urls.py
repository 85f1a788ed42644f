"""Every command that touches the database, with every wrong DATABASE_URL: an exit code, one line that says why, no
secret, no traceback."""

import ast
import gc
import json
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from billing_service import cli
from tests.cli.cli_running import FREE_PORTS, PEPPER, STRIPE_KEY, WEBHOOK_SECRET, service_settings
from tests.cli.unusable_servers import not_there, not_trusted
from tests.support import run_length
from tests.support.postgres_programs import HOST, PASSWORD, own_server, pgbouncer, started
from tests.support.tls_relay import closing_port, silent_port

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""asyncpg says goodbye over TLS without waiting for the answer; the command ends first, and its sockets with it."""
SETTINGS = {"BILLING_API_KEY_PEPPER": PEPPER}
SERVING = {name: value for name, value in service_settings().items() if name != "DATABASE_URL"}
COMMANDS = {
    ("migrate",): SETTINGS,
    ("serve",): SERVING,
    ("serve", "--no-uvloop"): SERVING | {"BILLING_MIGRATE_ON_START": "false"},
    ("dev",): FREE_PORTS,
    ("keys", "create", "ops", "--scope", "admin", "--offline"): SETTINGS,
    ("verify", "--offline"): SETTINGS,
    ("heads", "exported"): SETTINGS,
    ("deployment", "show"): SETTINGS,
    ("deployment", "renew", "--yes"): SETTINGS,
}
OF_SQLITE = [("backup", "copy.db"), ("restore", "copy.db")]
"""They end before they look at a PostgreSQL, whose own tools they name."""

REFUSED_URLS = [
    (
        f"postgresql://u:{PASSWORD}@h/d?sslmod=require",
        "DATABASE_URL: has the option sslmod, which the service does not know; did you mean sslmode?",
    ),
    (
        f"postgresql://u:{PASSWORD}@h/d?pgbouncer=true",
        "DATABASE_URL: has the option pgbouncer, which the service does not know",
    ),
    (
        f"postgresql://u:{PASSWORD}@h/d?sslmode=no-verify",
        "DATABASE_URL: sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full",
    ),
    (f"postgresql://u:{PASSWORD}@h/d?sslrootcert=/no/such.pem", "DATABASE_URL: sslrootcert: there is no such file"),
    (f"postgresql://u:{PASSWORD}@h:5432a/d", "DATABASE_URL: has a port that is no number from 1 to 65535"),
    (f"postgresql://u:{PASSWORD}/x@h/d", "DATABASE_URL: has an @ after a /"),
    (f"postgresql://u:{PASSWORD}%@h/d", "DATABASE_URL: has a % that begins no encoded character"),
    (f"postgresql://u:{PASSWORD}@h", "DATABASE_URL: must name the database: postgresql://host/database"),
    (f"mysql://u:{PASSWORD}@h/d", "DATABASE_URL: must be sqlite:///file or postgresql://host/database"),
    ("sqlite:///:memory:", "DATABASE_URL: must name a file after sqlite:///: the service opens several connections"),
    ("sqlite://ledger.db", "DATABASE_URL: needs three slashes"),
    ("sqlite:///ledger.db?mode=ro", "DATABASE_URL: has a ? in it"),
    ("sqlite:///.", "DATABASE_URL: must name a file"),
    ("sqlite:///var/..", "DATABASE_URL: must name a file"),
]


@pytest.fixture(scope="module", autouse=True)
def _collect_what_was_left():
    """While this module's warnings are ignored: those that leave it are of other tests."""
    yield
    gc.collect()


def run(billing, command, url, **env):
    """Runs a command; answers its exit code and what it said besides its log, and checks what holds for all of them."""
    result = billing(*command, DATABASE_URL=url, **env)
    said = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert result.stdout == ""
    assert "Traceback" not in result.output
    assert not any(secret in result.output for secret in (PASSWORD, PEPPER, STRIPE_KEY, WEBHOOK_SECRET, "canary"))
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, said


@pytest.mark.parametrize("command", [*COMMANDS, *OF_SQLITE], ids=" ".join)
def test_urls_that_cannot_be_read(billing, command):
    for url, words in REFUSED_URLS:
        code, said = run(billing, command, url, **COMMANDS.get(command, SETTINGS))
        assert (code, len(said)) == (2, 1), (url, said)
        assert said[0].startswith(words), (url, said)


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    """(a server, wrong URLs with their words): servers and relays that are not what a URL says of them."""
    with ExitStack() as stack:
        server = started(stack, own_server("wheel"))
        silent, closing = stack.enter_context(silent_port()), stack.enter_context(closing_port())
        server.do("CREATE DATABASE guarded", "SELECT 1")
        server.do(
            "CREATE ROLE poor LOGIN PASSWORD 'canary4242'",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "SELECT 1",
            database="guarded",
        )
        yield (
            server,
            [*not_there(server, silent, closing), *not_trusted(server, tmp_path_factory.mktemp("authorities"), stack)],
        )


def wrong_urls_for(command, wrong):
    """All of them for the two loops that serve and for migrating; the others open the store alike, and each URL goes to
    every third."""
    alike = [each for each in COMMANDS if each[0] not in {"serve", "migrate"}]
    if run_length.LONG or command not in alike:
        return wrong
    return [each for number, each in enumerate(wrong) if number % 3 == alike.index(command) % 3]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_servers_that_cannot_be_used(billing, around, command):
    for url, words in wrong_urls_for(command, around[1]):
        code, said = run(billing, command, url, **COMMANDS[command])
        assert (code, len(said)) == (1, 1), (url, said)
        assert any(word in said[0] for word in words.split("|")), (url, said)


@pytest.mark.parametrize("command", OF_SQLITE, ids=" ".join)
def test_commands_of_sqlite_leave_postgresql_to_its_own_tools(billing, around, command):
    for url, _ in around[1]:
        code, (said,) = run(billing, command, url, **SETTINGS)
        assert code == 2
        assert said.startswith("DATABASE_URL: is PostgreSQL, whose own tool does this, while it runs: pg_")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_pooler_of_transactions(billing, around, command):
    with ExitStack() as stack:
        port = started(stack, pgbouncer(around[0], "transaction"))
        code, (said,) = run(billing, command, around[0].url(port=port), **COMMANDS[command])
    assert code == 1
    assert said.startswith("a pooler hands each transaction to another session (pool_mode=transaction)")


def unusable_file(path):
    path.write_bytes(b"canary" * 1000)


def file_in_the_way(path):
    path.parent.rmdir()
    path.parent.write_text("")


FILES = [
    (unusable_file, "the database can't be used: file is not a database"),
    (Path.mkdir, "unable to open database file|Is a directory"),
    (file_in_the_way, "Not a directory|File exists|there is no database at"),
]


@pytest.mark.parametrize(("prepare", "words"), FILES)
@pytest.mark.parametrize("command", [command for command in COMMANDS if command != ("dev",)], ids=" ".join)
def test_files_that_cannot_be_used(billing, tmp_path, command, prepare, words):
    path = tmp_path / "var" / "ledger.db"
    path.parent.mkdir()
    prepare(path)
    code, said = run(billing, command, f"sqlite:///{path}", **COMMANDS[command])
    assert (code, len(said)) == (1, 1), said
    assert any(word in said[0] for word in words.split("|")), said
    if prepare is Path.mkdir:
        assert list(path.parent.iterdir()) == [path], "no lock is left of what is no database"


@pytest.mark.parametrize(
    ("broken", "command"),
    [
        ("server", ("migrate",)),
        ("server", ("serve",)),
        ("server", ("verify", "--offline")),
        ("file", ("serve",)),
        ("file", ("keys", "create", "x", "--scope", "read", "--offline")),
    ],
)
def test_a_process_says_no_more_than_the_line(processes, tmp_path, command, broken):
    """Nothing is left behind that would say more at its end."""
    url, line_said = (
        f"postgresql://u:{PASSWORD}@127.0.0.1:1/d",
        "the database can't be reached: 127.0.0.1:1: Connection refused\n",
    )
    if broken == "file":
        (tmp_path / "ledger.db").mkdir()
        url, line_said = "sqlite:///ledger.db", "the database can't be used: unable to open database file\n"
    code, said = processes.run(*command, cwd=tmp_path, **COMMANDS.get(command, SETTINGS) | {"DATABASE_URL": url})
    assert (code, "".join(line for line in said.splitlines(keepends=True) if not line.startswith("{"))) == (
        1,
        line_said,
    )


@pytest.fixture
def elsewhere(monkeypatch):
    """A name that seems to be of another machine."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **how: resolve("127.0.0.1" if host == HOST else host, *rest, **how)
    )


@pytest.mark.usefixtures("elsewhere")
def test_a_weak_url_is_said_once_and_works(billing, around):
    """Over TLS that finds out nothing: the line, and then what was asked for."""
    server = around[0]
    server.do("CREATE DATABASE weak", "SELECT 1")
    url = server.url(host=HOST, database="weak", sslmode="require")
    unknown = f"does not find out who answers at {HOST}:{server.tls_port}"
    weak = f"sslmode=require encrypts, and {unknown}; sslmode=verify-full does"
    for command in (("migrate",), ("verify", "--offline"), ("heads", "exported")):
        result = billing(*command, DATABASE_URL=url, **SETTINGS)
        assert (result.exit_code, result.stderr.splitlines()) == (0, [f"DATABASE_URL: {weak}"]), result.output
    absent = server.url(host=HOST, database="not_there", sslmode="require")
    result = billing("serve", "--no-uvloop", DATABASE_URL=absent, **SERVING)
    logged = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    assert [(line["event"], line["level"], line["weakness"]) for line in logged if "weakness" in line] == [
        ("database_url_is_weak", "warning", weak)
    ]


@pytest.mark.parametrize("loop", ["--uvloop", "--no-uvloop"])
def test_a_right_url_serves(processes, tmp_path, around, loop):
    """Over TLS, with all that may be said of a connection, on both event loops."""
    server = around[0]
    name = f"served{loop.replace('-', '_')}"
    server.do(f"CREATE DATABASE {name}", "SELECT 1")
    root = {"sslmode": "require", "channel_binding": "require", "sslrootcert": str(server.authority.file)}
    url = server.url(
        database=name, host="127.0.0.1:1,localhost", keepalives_idle="30", target_session_attrs="read-write", **root
    )
    process = processes.start("serve", loop, cwd=tmp_path, **SERVING, DATABASE_URL=url)
    assert '"database":"postgresql"' in process.read_until('"serving"')
    assert server.do(f"SELECT application_name FROM pg_stat_activity WHERE datname = '{name}'") == [
        ("prepaid-billing",)
    ]
    assert process.stop() == 0
    assert "weak" not in process.said


def test_every_command_that_opens_a_database_is_tried():
    """By the names of the functions of the command line that lead to one."""
    doors = {"with_store", "offline_settings", "open_service", "open_dev_stack", "_sqlite_file", "load_settings"}
    inner = {
        "_create_offline",
        "_verify_offline",
        "_serve",
        "run",
        "_own_stack",
        "_sqlite_file",
        "offline_settings",
        "with_store",
        "open_dev_stack",
        "confirm_free",
        "main",  # of a worker, which `serve` begins
    }
    found = set()
    for path in Path(cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and doors & {
                getattr(inside.func, "id", "") for inside in ast.walk(node) if isinstance(inside, ast.Call)
            }:
                found.add(node.name)
    assert found - inner == {
        "serve",
        "migrate",
        "dev",
        "heads",
        "backup",
        "restore",
        "show_deployment",
        "renew_deployment",
    }
