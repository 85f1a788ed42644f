"""`billing serve --workers` as processes: each at an address of its own, drained together, started again when one
dies."""

import os
import re
import signal
import time
from pathlib import Path

import httpx
import pytest
from billing_client import BillingClient

from tests.cli.cli_running import PATIENCE_S, service_settings
from tests.support.postgres_programs import free_port

ADDRESSES = re.compile(r"^BILLING_ADDRESS=(.*)$", re.MULTILINE)


def until(condition):
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_sqlite_has_one_process(processes, tmp_path):
    code, said = processes.run("serve", "--workers", "2", cwd=tmp_path, **service_settings())
    assert (code, said) == (2, "--workers needs PostgreSQL: only one process may serve a SQLite file\n")


def test_workers_that_can_not_start_say_why_once(processes, tmp_path):
    code, said = processes.run(
        "serve",
        "--workers",
        "3",
        cwd=tmp_path,
        **service_settings(DATABASE_URL="postgresql://u:canary@127.0.0.1:9/db"),
    )
    assert code == 1
    assert said.count("the database can't be reached") == 1
    assert "Traceback" not in said


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.timeout(180)
def test_workers_serve_restart_and_drain(processes, database, tmp_path):
    port = free_port()
    page = f"http://127.0.0.1:{port}"
    settings = service_settings(
        DATABASE_URL=database.url, BILLING_METRICS_ADDRESS=f"127.0.0.1:{port}", BILLING_LOG_LEVEL="WARNING"
    )
    process = processes.start("serve", "--workers", "2", cwd=tmp_path, **settings)
    addresses = ADDRESSES.search(process.read_until("BILLING_ADDRESS="))[1]
    assert len(set(addresses.split(","))) == 2
    with BillingClient(addresses) as client:
        client.create_account(account_id="ada")
        for address in addresses.split(","):
            with BillingClient(address) as one:
                assert one.is_serving()
                assert one.get_balance(account_id="ada").balance.account_id == "ada"
        until(lambda: httpx.get(f"{page}/health").status_code == 200)
        metrics = httpx.get(f"{page}/metrics").text
        for worker in (0, 1):
            assert f'billing_worker_up{{worker="{worker}"}} 1.0' in metrics
            assert f'billing_serving{{worker="{worker}"}} 1.0' in metrics
        assert metrics.count("# TYPE billing_serving gauge") == 1
        assert metrics.count("# TYPE billing_ledger_operations_total counter") == 1
        victim = worker_processes(process.popen.pid)[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: httpx.get(f"{page}/health").status_code == 503)
        for number in range(20):
            client.grant_credits(account_id="ada", amount_microcredits=1, reason="gift", idempotency_key=f"k{number}")
        until(lambda: httpx.get(f"{page}/health").status_code == 200)
        for address in addresses.split(","):
            with BillingClient(address) as one:
                assert one.get_balance(account_id="ada").balance.available_microcredits == 20
    left = worker_processes(process.popen.pid)
    assert victim not in left
    assert process.stop() == 0
    assert '"worker_ended"' in process.said
    assert not [pid for pid in left if is_there(pid)]


@pytest.mark.parametrize("store_name", ["postgresql"])
@pytest.mark.timeout(180)
def test_workers_end_with_a_supervisor_that_is_killed(processes, database, tmp_path):
    process = processes.start("serve", "--workers", "2", cwd=tmp_path, **service_settings(DATABASE_URL=database.url))
    process.read_until("BILLING_ADDRESS=")
    workers = worker_processes(process.popen.pid)
    assert len(workers) == 2
    process.stop(signal.SIGKILL)
    until(lambda: not any(map(is_there, workers)))


def worker_processes(parent):
    return sorted(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
