"""`make bench`: starts all that it needs, takes turns among the contestants, prints and keeps the table.

The contestants run side by side but are loaded one at a time, A B C A B C. So a slow minute of the machine hits all of
them. Each value is compared with the no-op of its own round. Writes build/bench/results.json, results.md and speed.png.
"""

import argparse
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

from tests.bench import edge_cost, ledger_size, servers, targets
from tests.support.loopback import exempt_loopback

ACCOUNTS = 10_000
LIMITED_ACCOUNTS = 5_000
"""With spend limits. A service keeps 16,384 accounts in memory: these and the others fit."""
SAMPLE_S = 0.05
NAIVE_SQLITE, NAIVE_POSTGRESQL = targets.NAIVE["SQLite"], targets.NAIVE["PostgreSQL"]
CONTESTANTS = (targets.NOOP, *targets.SERVICES, NAIVE_SQLITE, NAIVE_POSTGRESQL)
RESULTS = servers.ROOT / "build" / "bench"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
LEDGER_COUNTERS = ("commits", "operations", "statements")


@dataclass(frozen=True)
class Measurement:
    name: str
    in_flight: int
    contestants: Sequence[str]
    method: str = "DeductCredits"
    accounts: int = ACCOUNTS
    streams: int = 0
    """Streams at a time, each with `in_flight` requests without an answer; 0 for unary calls."""
    generator: str = "load"
    """The module of this folder that makes the load."""
    flags: Sequence[str] = ()
    """More options of the generator."""


_COMPARED = (targets.NOOP, *targets.SERVICES)
PLAN = (
    Measurement("deduct 1", 1, CONTESTANTS),
    Measurement("deduct 16", 16, CONTESTANTS),
    Measurement("deduct 64", 64, CONTESTANTS),
    Measurement("deduct 256", 256, CONTESTANTS),
    Measurement("deduct hot 64", 64, targets.SERVICES, accounts=1),
    Measurement("priced 64", 64, targets.SERVICES, flags=["--priced"]),
    Measurement("limited 64", 64, targets.SERVICES, accounts=LIMITED_ACCOUNTS, flags=["--limited"]),
    Measurement("hold and capture 64", 64, targets.SERVICES, generator="pair_load", method=""),
    Measurement("batch 8", 8, _COMPARED, method="BatchDeductCredits"),
    Measurement("priced batch 8", 8, targets.SERVICES, method="BatchDeductCredits", flags=["--priced"]),
    Measurement("stream 8 x 64", 64, _COMPARED, generator="stream_load", method="", streams=8),
    Measurement("ticks 8 x 64", 64, targets.SERVICES, generator="session_load", method="", accounts=0, streams=8),
    Measurement(
        "stop 64",
        1,
        targets.SERVICES,
        generator="session_load",
        method="",
        accounts=0,
        streams=64,
        flags=["--until-stop"],
    ),
    Measurement("balance 64", 64, _COMPARED, method="GetBalance"),
)


Turn = dict[str, dict[str, Any]]
"""One round: measurement → contestant → outcome."""


def measure(server: servers.Server, measurement: Measurement, measured_s: float) -> dict[str, Any]:
    """Runs one load in its own process; adds the server's peak memory and, for the service, what its ledger did
    meanwhile."""
    before = _ledger_counters(server)
    options = {
        "--port": server.port,
        "--in-flight": measurement.in_flight,
        "--measured-s": measured_s,
        **({"--streams": measurement.streams} if measurement.streams else {}),
        **({"--method": measurement.method} if measurement.method else {}),
        **({"--accounts": measurement.accounts} if measurement.accounts else {}),
    }
    said = [str(part) for option in options.items() for part in option]
    command = [sys.executable, "-m", f"tests.bench.{measurement.generator}", *said, *measurement.flags]
    resident: list[int] = []
    generator = subprocess.Popen(command, cwd=servers.ROOT, stdout=subprocess.PIPE, start_new_session=True)
    try:
        while generator.poll() is None:
            resident.append(servers.resident_bytes(server.process.pid) or 0)
            time.sleep(SAMPLE_S)
        output, _ = generator.communicate()
    finally:
        servers.end(generator)
    if generator.returncode:
        raise RuntimeError(f"the load generator failed on {server.name}, {measurement.name}")
    outcome: dict[str, Any] = json.loads(output)
    outcome["resident_bytes_max"] = max(resident, default=0) or None
    after = _ledger_counters(server)
    return {**outcome, **{name: after[name] - before.get(name, 0.0) for name in after}}


def _ledger_counters(server: servers.Server) -> dict[str, float]:
    if server.metrics_port is None:
        return {}
    known = servers.metrics(server)
    samples = {name: f"billing_ledger_{name}_total" for name in LEDGER_COUNTERS}
    return {name: known[sample] for name, sample in samples.items() if sample in known}


@dataclass(frozen=True)
class Databases:
    """Where they are. `new` answers the URL of one that isn't there yet, by store and name."""

    urls: dict[str, str]
    new: Callable[[str, str], str]


def databases(chosen: Sequence[str], work: Path, stack: ExitStack) -> Databases:
    """One for each chosen contestant that has one; the services' are migrated and seeded."""
    create: Callable[[str], str] | None = None
    if {"PostgreSQL", NAIVE_POSTGRESQL} & set(chosen):
        create = stack.enter_context(servers.postgresql(work / "postgresql"))

    def new(store: str, name: str) -> str:
        if store == "SQLite":
            return f"sqlite:///{work / f'{name}.sqlite3'}"
        assert create is not None, "whoever measures PostgreSQL has started it"
        return create(name)

    urls = {store: new(store, "service") for store in targets.SERVICES if store in chosen}
    servers.seed(ACCOUNTS, *urls.values(), limited=LIMITED_ACCOUNTS)
    drivers = {"SQLite": ("sqlite:", "sqlite+aiosqlite:"), "PostgreSQL": ("postgresql:", "postgresql+asyncpg:")}
    naive = {
        name: new(store, "naive").replace(*drivers[store], 1) for store, name in targets.NAIVE.items() if name in chosen
    }
    return Databases(urls | naive, new)


def start(name: str, urls: dict[str, str], work: Path) -> AbstractContextManager[servers.Server]:
    if name == targets.NOOP:
        return servers.yardstick(name, "tests.bench.noop_server", work)
    if name in targets.SERVICES:
        return servers.service(name, urls[name], work)
    return servers.yardstick(
        name, "tests.bench.naive_server", work, "--database-url", urls[name], "--accounts", str(ACCOUNTS)
    )


def measure_start(name: str, urls: dict[str, str], work: Path) -> dict[str, dict[str, Any]]:
    """Starts a service and ends it again: how long until it serves, and its memory then."""
    with start(name, urls, work) as server:
        return {
            "start": {"start_s": server.start_s},
            "rest": {"resident_bytes": servers.resident_bytes(server.process.pid)},
        }


def run(chosen: Sequence[str], work: Path, rounds: int, measured_s: float, ledger_transactions: int) -> list[Turn]:
    """All rounds, each with every measurement of the plan and every chosen contestant in turn."""
    turns: list[Turn] = []
    with ExitStack() as stack:
        made = databases(chosen, work, stack)
        stores = [name for name in targets.SERVICES if name in chosen]
        begin_s = time.monotonic()
        ledgers = ledger_size.prepare(stores, ledger_transactions, ACCOUNTS, made.new)
        _say(f"ledgers of {ledgers.transactions} transactions made in {time.monotonic() - begin_s:.0f} s")
        starts = [{name: measure_start(name, made.urls, work) for name in stores} for _ in range(rounds)]
        running = {name: stack.enter_context(start(name, made.urls, work)) for name in chosen}
        for number, started in enumerate(starts, 1):

            def load(
                server: servers.Server, measurement: Measurement, label: str = f"round {number} of {rounds}"
            ) -> dict[str, Any]:
                outcome = measure(server, measurement, measured_s)
                failures = f", {outcome['failed_total']} failed: {outcome['errors']}" if outcome["failed_total"] else ""
                _say(f"{label}: {measurement.name}, {server.name}: {outcome['items_per_second']:,.0f}/s{failures}")
                return outcome

            turn: Turn = {
                what: {name: figures[what] for name, figures in started.items()} for what in ("start", "rest")
            }
            for measurement in PLAN:
                turn[measurement.name] = {
                    name: load(running[name], measurement) for name in measurement.contestants if name in running
                }
            turns.append(turn | ledger_size.run_round(ledgers, number, work, _sized(load)))
    return turns


def _sized(load: Callable[[servers.Server, Measurement], dict[str, Any]]) -> ledger_size.Measure:
    return lambda server, name, in_flight, method: load(server, Measurement(name, in_flight, (), method=method))


def fsync_ms(directory: Path) -> float:
    """Median time that one 4 KiB append takes to be on disk here: what every commit pays at least."""
    times_s = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            begin_s = time.perf_counter()
            os.fsync(file.fileno())
            times_s.append(time.perf_counter() - begin_s)
    return median(times_s) * 1e3


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress of a command


def _machine(work: Path) -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "fsync": f"{fsync_ms(work):.2f} ms",
        "Python": platform.python_version(),
        "grpcio": version("grpcio"),
        "SQLite": sqlite3.sqlite_version,
    }


def _stop(_signal_number: int, _frame: FrameType | None) -> None:
    for signal_number in STOP_SIGNALS:
        signal.signal(signal_number, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave processes behind
    raise KeyboardInterrupt


def main() -> int:
    """0 when everything was measured and no call failed, 1 when calls failed, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        description="Measure the service against the no-op and the naive form, in one run."
    )
    parser.add_argument(
        "--only", action="append", choices=CONTESTANTS, help="a contestant to measure; may be repeated; all by default"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measured-s", type=float, default=1.5, help="seconds that each load is measured")
    parser.add_argument(
        "--ledger-transactions", type=int, default=targets.LEDGER_TRANSACTIONS, help="how long the full ledger is"
    )
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp"), help="where the databases live: a real disk, not memory"
    )
    arguments = parser.parse_args()
    exempt_loopback()
    for signal_number in STOP_SIGNALS:
        signal.signal(signal_number, _stop)
    begin_s = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="billing-bench-", dir=arguments.directory) as work:
            machine = _machine(Path(work))
            edge = edge_cost.measure()
            chosen = arguments.only or CONTESTANTS
            turns = run(chosen, Path(work), arguments.rounds, arguments.measured_s, arguments.ledger_transactions)
    except KeyboardInterrupt:
        _say("interrupted; everything that was started has ended")
        return 130
    machine["took"] = f"{time.monotonic() - begin_s:.0f} s"
    _keep(turns, machine, edge)
    return 1 if any(row["failed"] for row in targets.figures(turns)) else 0


def _keep(turns: list[Turn], machine: dict[str, Any], edge: list[dict[str, Any]]) -> None:
    """Writes what was measured, and prints it."""
    from tests.bench import plot

    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = {
        "machine": machine,
        "targets": targets.assess(turns),
        "figures": targets.figures(turns),
        "edge": edge,
        "rounds": turns,
    }
    (RESULTS / "results.json").write_text(json.dumps(kept, indent=1) + "\n")
    table = targets.markdown(turns, machine, edge_cost.markdown(edge))
    (RESULTS / "results.md").write_text(table)
    plot.write(turns, RESULTS / "speed.png")
    print(table)  # noqa: T201 - the result is the program's output


if __name__ == "__main__":
    sys.exit(main())
