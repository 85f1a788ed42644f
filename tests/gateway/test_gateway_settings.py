"""Settings that are weak or contradict each other don't start, name the setting and print no secret."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from billing_service.settings.model import known_names
from tests.gateway.gateway_bench import OTHER_SECRET, PATH, SECRET, gateway_config
from webhook_gateway.config import PATHS_DEFAULT
from webhook_gateway.settings import GatewaySettings, describe, hints

ROOT = Path(__file__).parents[2]
API_KEY_OF_STRIPE = "sk_" + "test_" + "sandboxsandboxsandbox"
WEAK = [
    ({"STRIPE_WEBHOOK_SECRET": None}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": "   "}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": ","}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"{SECRET},"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"{SECRET},{SECRET}"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": "whsec_short"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"{SECRET} {SECRET}"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": API_KEY_OF_STRIPE}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": "whsec_" + "placeholder"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": "whsec_" + "a" * 32}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"{SECRET},whsec_" + "your-secret-here"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET_CREDITS": "<your key>"}, "STRIPE_WEBHOOK_SECRET_CREDITS"),
    ({"STRIPE_WEBHOOK_SECRET_CREDITS": API_KEY_OF_STRIPE}, "STRIPE_WEBHOOK_SECRET_CREDITS"),
    ({"BILLING_API_KEY": "changeme"}, "BILLING_API_KEY"),
    ({"BILLING_ADDRESS": "billing.example:443"}, "BILLING_API_KEY"),
    ({"BILLING_ADDRESS": "a b"}, "BILLING_A"),
    ({"BILLING_ADDRESS": "http://127.0.0.1:50051"}, "BILLING_ADDRESS"),
    ({"BILLING_ADDRESS": "127.0.0.1"}, "BILLING_ADDRESS"),
    ({"BILLING_API_KEY": "canary canary"}, "BILLING_API_KEY"),
    ({"BILLING_CERTIFICATE_FILE": "c.pem"}, "BILLING_CERTIFICATE_FILE"),
    ({"BILLING_CA_FILE": "ca.pem", "BILLING_PLAINTEXT": "true"}, "BILLING_PLAINTEXT"),
    ({"BILLING_PLAINTEXT": "maybe"}, "BILLING_PLAINTEXT"),
    ({"GATEWAY_PORT": "65536"}, "GATEWAY_PORT"),
    ({"GATEWAY_PORT": "http"}, "GATEWAY_PORT"),
    ({"GATEWAY_PATHS": "webhook"}, "GATEWAY_PATHS"),
    ({"GATEWAY_PATHS": "/healthz"}, "GATEWAY_PATHS"),
    ({"GATEWAY_PATHS": "/"}, "GATEWAY_PATHS"),
    ({"GATEWAY_PATHS": "/billing/success"}, "GATEWAY_PATHS"),
    ({"GATEWAY_PATHS": "/a?b=c"}, "GATEWAY_PATHS"),
    ({"GATEWAY_PATHS": "/{anything}"}, "GATEWAY_PATHS"),
    ({"GATEWAY_PATHS": PATH}, "GATEWAY_PATHS"),
    ({"GATEWAY_RECEIVE_TIMEOUT_S": "0"}, "GATEWAY_RECEIVE_TIMEOUT_S"),
    ({"GATEWAY_RECEIVE_TIMEOUT_S": "3600"}, "GATEWAY_RECEIVE_TIMEOUT_S"),
    ({"GATEWAY_FORWARD_TIMEOUT_S": "-1"}, "GATEWAY_FORWARD_TIMEOUT_S"),
    ({"GATEWAY_CONNECTIONS_MAX": "0"}, "GATEWAY_CONNECTIONS_MAX"),
    ({"GATEWAY_CONNECTIONS_MAX": "10"}, "GATEWAY_CONNECTIONS_MAX"),
    ({"GATEWAY_METRICS_PORT": "8080"}, "GATEWAY_METRICS_PORT"),
    ({"GATEWAY_PROT": "8081"}, "GATEWAY_PROT"),
]


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Nothing but one good secret, in a directory without `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("STRIPE_", "BILLING_", "GATEWAY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    return monkeypatch


@pytest.mark.parametrize(("changes", "named"), WEAK)
def test_weak_settings_are_refused_by_name_without_their_value(environment, changes, named):
    for name, value in changes.items():
        if value is None:
            environment.delenv(name)
        else:
            environment.setenv(name, value)
    with pytest.raises(ValidationError) as raised:
        GatewaySettings()
    lines = describe(raised.value)
    assert any(line.startswith(named) for line in lines), lines
    for text in (*lines, str(raised.value), repr(raised.value)):
        for secret in (
            "gateway-tests",
            "canary",
            "sandboxsandbox",
            "whsec_short",
            "a" * 32,
            "your-secret",
            "your key",
            "changeme",
        ):
            assert secret not in text


def test_the_process_exits_and_prints_no_secret(environment, tmp_path):
    environment.setenv("STRIPE_WEBHOOK_SECRET", API_KEY_OF_STRIPE)
    run = subprocess.run(
        [sys.executable, "-m", "webhook_gateway"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr == "STRIPE_WEBHOOK_SECRET: each secret must begin with whsec_ and have 16 characters or more\n"
    assert run.stdout == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"paths": ()},
        {"paths": ("/a", "/a")},
        {"tolerance_s": 0},
        {"tolerance_s": 601},
        {"body_bytes_max": 0},
        {"forward_timeout_s": float("nan")},
        {"connections_max": 1, "connections_per_peer_max": 2},
        {"secrets": SECRET},
    ],
)
def test_a_configuration_in_code_is_checked_too(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        gateway_config(**changes)


def test_nothing_prints_a_secret(environment):
    environment.setenv("BILLING_API_KEY", "canary")
    settings = GatewaySettings()
    for text in (repr(settings), str(settings), repr(settings.config())):
        assert "canary" not in text
        assert SECRET not in text


def test_the_environment_and_the_file_are_read(environment, tmp_path):
    (tmp_path / ".env").write_text("GATEWAY_PORT=9000\nUNRELATED=1\nBILLING_API_KEY=from-file\n")
    environment.setenv("STRIPE_WEBHOOK_SECRET", f"{SECRET}, {OTHER_SECRET}")
    environment.setenv("GATEWAY_PATHS", "/mine, /yours")
    environment.setenv("BILLING_ADDRESS", "")
    settings = GatewaySettings()
    config = settings.config()
    assert (settings.gateway_host, settings.gateway_port) == ("127.0.0.1", 9000)
    assert config.secrets == (SECRET, OTHER_SECRET)
    assert config.paths == (*PATHS_DEFAULT, "/mine", "/yours")
    assert (config.billing.address, config.billing.api_key) == ("127.0.0.1:50051", "from-file")


def test_secrets_of_both_names_count_and_one_under_both_counts_once(environment):
    environment.setenv("STRIPE_WEBHOOK_SECRET_CREDITS", f"{OTHER_SECRET},{SECRET}")
    assert GatewaySettings().config().secrets == (SECRET, OTHER_SECRET)
    environment.delenv("STRIPE_WEBHOOK_SECRET")
    assert GatewaySettings().config().secrets == (OTHER_SECRET, SECRET)


def test_a_name_that_is_not_read_is_hinted_at_without_a_value(environment, tmp_path):
    environment.delenv("STRIPE_WEBHOOK_SECRET")
    environment.setenv("STRIPE_WEBHOOK_SECRETS", SECRET)
    (tmp_path / ".env").write_text("BILLING_ADDRES=canary\nSTRIPE_PUBLISHABLE_KEY=canary\n")
    assert hints() == [
        "BILLING_ADDRES: is not read; did you mean BILLING_ADDRESS?",
        "STRIPE_WEBHOOK_SECRETS: is not read; did you mean STRIPE_WEBHOOK_SECRET?",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "webhook_gateway"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.splitlines() == ["STRIPE_WEBHOOK_SECRET: is required", *hints()]


def test_names_of_the_service_in_the_same_environment_are_left_alone(environment):
    for name in known_names():
        if name not in {"STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET_CREDITS"}:
            environment.setenv(name, "x")
    assert GatewaySettings().config().secrets == (SECRET,)
    assert hints() == []


async def test_the_process_serves_and_stops_when_told(environment, tmp_path):
    environment.setenv("GATEWAY_PORT", "0")
    environment.setenv("BILLING_ADDRESS", "127.0.0.1:1")
    environment.setenv("STRIPE_ENDPOINT_SECRET", SECRET)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "webhook_gateway",
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    hinted = await process.stdout.readline()
    assert b"STRIPE_ENDPOINT_SECRET: is not read; did you mean STRIPE_WEBHOOK_SECRET?" in hinted
    assert SECRET.encode() not in hinted
    assert b'"listening"' in await process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    rest = await process.stdout.read()
    assert b'"stopping"' in rest
    assert SECRET.encode() not in rest
    assert await process.wait() == 0


# The environment is what it needs.
def test_a_typing_error_in_the_file_is_found_too(environment, tmp_path):  # noqa: ARG001
    (tmp_path / ".env").write_text("GATEWAY_PORTT=9000\n")
    with pytest.raises(ValidationError, match=r"GATEWAY_PORTT: there is no such setting; did you mean GATEWAY_PORT\?"):
        GatewaySettings()
