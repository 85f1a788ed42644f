"""`billing dev` and `billing demo` as processes: they name what is in their way, begin anew, and leave nothing
behind."""

import signal
import socket

import httpx
import pytest

from tests.cli.cli_running import (
    FREE_PORTS,
    STRIPE_KEY,
    address_in,
    sandbox_in,
)


@pytest.mark.parametrize(
    ("setting", "who"),
    [("SANDBOX_PORT", "the sandbox"), ("GATEWAY_PORT", "the gateway"), ("BILLING_LISTEN", "the service")],
)
def test_dev_names_the_port_in_use(processes, tmp_path, setting, who):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        value = f"127.0.0.1:{port}" if setting == "BILLING_LISTEN" else port
        code, said = processes.run("dev", cwd=tmp_path, **FREE_PORTS | {setting: value})
    assert code == 1
    assert f"{who} can't listen on 127.0.0.1:{port}: the port is in use" in said
    assert setting in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("database", "others"),
    [("var/sandbox.db", {}), ("kept.db", {"DATABASE_URL": "sqlite:///kept.db"})],
    ids=["the throw-away database", "one of its own"],
)
def test_dev_run_twice_says_that_it_runs_and_what_a_second_one_takes(processes, tmp_path, database, others):
    """Whether the ports are those of the first or not: the line is about the database, and names all that must
    differ."""
    first = processes.start("dev", cwd=tmp_path, **FREE_PORTS | others)
    panel = first.read_until("Ctrl-C")
    port = sandbox_in(panel).rpartition(":")[2]
    for ports in ({}, {"SANDBOX_PORT": port, "BILLING_LISTEN": address_in(panel)}):
        code, said = processes.run("dev", cwd=tmp_path, **FREE_PORTS | others | ports)
        assert code == 1
        (line,) = said.splitlines()
        assert line.startswith(f"already running here: another process has {database}.")
        assert all(name in line for name in ("DATABASE_URL=", "BILLING_LISTEN", "GATEWAY_PORT", "SANDBOX_PORT"))
    second = processes.start("dev", cwd=tmp_path, **FREE_PORTS | {"DATABASE_URL": "sqlite:///var/second.db"})
    second.read_until("Ctrl-C")
    assert (second.stop(signal.SIGINT), first.stop(signal.SIGINT)) == (0, 0)


def test_dev_begins_anew_keeps_logs_off_the_screen_and_stops_on_ctrl_c(processes, tmp_path):
    for _ in range(2):
        process = processes.start(
            "dev", cwd=tmp_path, **FREE_PORTS | {"BILLING_AUTH": "keys", "STRIPE_KEY": STRIPE_KEY}
        )
        panel = process.read_until("Ctrl-C")
        assert panel.startswith("STRIPE_KEY: is not read; did you mean STRIPE_SECRET_KEY?\n")
        assert STRIPE_KEY not in panel
        key = next(word for word in panel.split() if word.startswith("bill_"))
        env = {"BILLING_ADDRESS": address_in(panel), "BILLING_API_KEY": key}
        assert processes.run("accounts", "list", cwd=tmp_path, **env) == (0, "Accounts: none\n")
        assert processes.run("purchases", "create", "ada", "--package", "starter", cwd=tmp_path, **env)[0] == 0
        assert process.stop(signal.SIGINT) == 0
        assert '"event"' not in process.said
        assert process.said.endswith("stopped\n")
        with pytest.raises(httpx.ConnectError):
            httpx.get(sandbox_in(panel))
    log = (tmp_path / "var" / "dev.log").read_text()
    assert log.count('"serving"') >= 2
    assert key not in log


def test_demo_brings_its_own_stack(processes, tmp_path):
    code, said = processes.run(
        "demo", "--own", "--sandbox", "http://127.0.0.1:9", cwd=tmp_path, BILLING_ADDRESS="127.0.0.1:9"
    )
    assert code == 0, said
    assert "The whole story" in said
    assert list(tmp_path.iterdir()) == []
