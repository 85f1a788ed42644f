"""The harness of the bench starts, measures and ends processes; it leaves none behind."""

import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from prepaid.billing.v1 import billing_pb2_grpc, transactions_pb2
from prometheus_client import CollectorRegistry, Counter, start_http_server

from tests.bench import run, servers, targets
from tests.bench.naive_server import STARTING_MICROCREDITS

NOOP_MODULE = "tests.bench.noop_server"


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(servers.DidNotStartError, match="unrecognized arguments: --no-such-option"),
        servers.yardstick(
            "naive", "tests.bench.naive_server", tmp_path, "--database-url", "sqlite+aiosqlite://", "--no-such-option"
        ),
    ):
        pytest.fail("it must not count as started")


def test_a_process_that_ignores_its_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "STOP_S_MAX", 0.1)
    deaf = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"deaf\n"
        servers.end(process)
        assert process.returncode == -9


def test_a_measurement_counts_calls_and_memory_and_the_server_ends(tmp_path: Path) -> None:
    with servers.yardstick(targets.NOOP, NOOP_MODULE, tmp_path) as server:
        outcome = run.measure(server, run.Measurement("deduct 4", 4, (targets.NOOP,), accounts=10), measured_s=0.1)
        assert server.process.poll() is None
    assert outcome["succeeded_total"] > 0
    assert outcome["failed_total"] == 0
    assert outcome["resident_bytes_max"] is None or outcome["resident_bytes_max"] > targets.MIB
    assert server.process.returncode == 0


def test_the_naive_form_refuses_replays_and_deducts_exactly(tmp_path: Path) -> None:
    name, request = run.NAIVE_SQLITE, transactions_pb2.DeductCreditsRequest
    with (
        run.start(name, {name: f"sqlite+aiosqlite:///{tmp_path / 'naive.sqlite3'}"}, tmp_path) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        deduct = billing_pb2_grpc.BillingServiceStub(channel).DeductCredits
        same = [
            deduct.future(request(account_id="bench-000001", amount_microcredits=5, idempotency_key="one"))
            for _ in range(10)
        ]
        replies = [call.result() for call in same]
        for account, amount, key, status in (
            ("bench-000001", 6, "one", grpc.StatusCode.INVALID_ARGUMENT),
            ("nobody", 5, "two", grpc.StatusCode.NOT_FOUND),
            ("bench-000001", STARTING_MICROCREDITS, "three", grpc.StatusCode.FAILED_PRECONDITION),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                deduct(request(account_id=account, amount_microcredits=amount, idempotency_key=key))
            assert refused.value.code() == status
        last = deduct(request(account_id="bench-000001", amount_microcredits=7, idempotency_key="three"))
        outcome = run.measure(server, run.Measurement("deduct 4", 4, (name,)), measured_s=0.1)
    assert sorted(reply.replayed for reply in replies) == [False] + [True] * 9
    assert {reply.balance.available_microcredits for reply in replies} == {STARTING_MICROCREDITS - 5}
    assert last.balance.available_microcredits == STARTING_MICROCREDITS - 12
    assert (outcome["succeeded_total"] > 0, outcome["failed_total"]) == (True, 0)


def test_metrics_are_summed_over_their_labels() -> None:
    registry = CollectorRegistry()
    commits = Counter("billing_ledger_commits", "Commits.", ["store"], registry=registry)
    http_server, thread = start_http_server(0, "127.0.0.1", registry=registry)
    try:
        with subprocess.Popen(["true"]) as process:
            server = servers.Server("SQLite", process, port=0, metrics_port=http_server.server_port)
        assert run._ledger_counters(server) == {}
        commits.labels("one").inc(2)
        commits.labels("two").inc(3)
        assert run._ledger_counters(server) == {"commits": 5}
    finally:
        http_server.shutdown()
        http_server.server_close()
        thread.join()
