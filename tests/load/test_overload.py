"""Five times as many callers as the service admits. They are refused with the time to wait, and all are served in the
end. Health, memory and ledger are as if nothing had happened.

How fast depends on the machine, so the ordinary run asserts none of it. The long run compares its own phases with each
other.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.bench import calls, servers
from tests.support.client_journal import stored

LONG = os.environ.get("BILLING_LONG_TESTS") == "1"
ACCOUNTS = 200
TIMES = 5
CONNECTIONS = 8
SECONDS = (10, 60, 10) if LONG else (1, 2, 1.5)
"""With as many callers as are taken on, with five times as many, and with as many as before."""
BOUNDS = (64, 1024) if LONG else (64,)
"""Of calls in flight."""
WAITING_MAX = 1000
"""Beyond so many calls in front of the service, gRPC itself turns some away: with CANCELLED, at once and without a
delay."""
OVERLOADED, CANCELLED = {"status": "8", "delay_s": 1.0}, {"status": "1", "delay_s": 0.0}
WATCH_S = 0.1
HEALTH_S_MAX = 5.0
GROWTH_BYTES_MAX = 150 << 20
LATE_GROWTH_BYTES_MAX = 32 << 20
GOODPUT_MIN, ACCEPTED_P99_TIMES_MAX, RECOVERED_S_MAX, LAST_REFUSAL_S_MAX = 0.5, 10, 2.0, 6.0


@dataclass
class Watched:
    """What was seen of the service from outside while the crowd was there."""

    told: dict
    health: set
    resident_bytes: list


def watch(server, work, bound):
    """Lets the crowd in, and looks at the service until it has gone."""
    taken_on = min(bound, WAITING_MAX * 3 // 4)
    phases = ",".join(
        f"{callers}x{lasts_s}" for callers, lasts_s in zip((taken_on, TIMES * bound, taken_on), SECONDS, strict=True)
    )
    options = {"--port": server.port, "--connections": CONNECTIONS, "--accounts": ACCOUNTS, "--phases": phases}
    command = [sys.executable, "-m", "tests.load.crowd", *(str(part) for option in options.items() for part in option)]
    health, resident, answer = set(), [], work / "crowd.json"
    with answer.open("wb") as output, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        crowd = subprocess.Popen(command, cwd=servers.ROOT, stdout=output)
        try:
            while crowd.poll() is None:
                health.add(
                    health_pb2_grpc.HealthStub(channel)
                    .Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_S_MAX)
                    .status
                )
                resident.append(servers.resident_bytes(server.process.pid) or 0)
                time.sleep(WATCH_S)
        finally:
            servers.end(crowd)
    assert crowd.returncode == 0
    return Watched(json.loads(answer.read_text()), health, resident)


def recovered_s(before, after):
    """Seconds from the end of the overload until half a second brought 80 % of what it did before."""
    enough = 0.8 * before["ok_per_s"] / 2
    slices = after["ok_slices"]
    return next((at / 10 for at in range(len(slices) - 4) if sum(slices[at : at + 5]) >= enough), float("inf"))


def last_refusal_s(after):
    """Seconds until the last of those who still waited from the overload was refused; each has its wish fulfilled after
    that."""
    return max((at / 10 for at, refused in enumerate(after["refused_slices"]) if refused), default=0.0)


@pytest.mark.timeout(900 if LONG else 120)
@pytest.mark.parametrize("bound", BOUNDS)
def test_overload_is_refused_with_a_delay_and_loses_nothing(database, tmp_path, bound):
    servers.seed(ACCOUNTS, database.url)
    balance = sum(stored(database)[2].values())
    with servers.service("service", database.url, tmp_path, BILLING_IN_FLIGHT_MAX=str(bound)) as server:
        rest_bytes = servers.resident_bytes(server.process.pid)
        seen = watch(server, tmp_path, bound)
        counted = servers.metrics(server)
    before, over, after = seen.told["phases"]

    by_service = sum(each["count"] for each in seen.told["refusals"] if OVERLOADED.items() <= each.items())
    by_grpc = sum(each["count"] for each in seen.told["refusals"] if CANCELLED.items() <= each.items())
    assert sum(each["count"] for each in seen.told["refusals"]) == by_service + by_grpc, seen.told["refusals"]
    assert by_service == counted["billing_shed_total"] > 0
    assert by_grpc == 0 or bound * TIMES > WAITING_MAX, "gRPC turned away what the service could have refused"
    assert not any(before["refused_slices"])
    assert seen.told["unsettled"] == 0
    assert counted["billing_in_flight"] == 0
    assert seen.health == {health_pb2.HealthCheckResponse.SERVING}
    assert max(seen.resident_bytes) < rest_bytes + GROWTH_BYTES_MAX

    keys, deductions, balances = stored(database)
    assert len(keys) == len(deductions) == seen.told["succeeded"]
    assert balance - sum(balances.values()) == seen.told["succeeded"] * calls.AMOUNT_MICROCREDITS
    if LONG:
        compare(before, over, after, seen.resident_bytes)


def compare(before, over, after, resident_bytes):
    """The phases of one run with each other; all figures are printed."""
    figures = {
        "goodput": over["ok_per_s"] / before["ok_per_s"],
        "accepted p99": over["ok_p99_ms"] / before["ok_p99_ms"],
        "refused p50, ms": over["refused_p50_ms"],
        "refused p99, ms": over["refused_p99_ms"],
        "refused a second": over["refused_per_s"],
        "recovered, s": recovered_s(before, after),
        "last refusal, s": last_refusal_s(after),
        "late growth, MiB": (
            max(resident_bytes[-len(resident_bytes) // 2 :]) - max(resident_bytes[: len(resident_bytes) // 2])
        )
        / 2**20,
    }
    sys.stdout.write(f"{figures}\n")
    assert figures["goodput"] >= GOODPUT_MIN, figures
    assert figures["accepted p99"] <= ACCEPTED_P99_TIMES_MAX, figures
    assert figures["refused p50, ms"] < over["ok_p50_ms"], figures
    assert figures["recovered, s"] <= RECOVERED_S_MAX, figures
    assert figures["last refusal, s"] <= LAST_REFUSAL_S_MAX, figures
    assert figures["late growth, MiB"] * 2**20 < LATE_GROWTH_BYTES_MAX, figures
