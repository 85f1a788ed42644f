"""Commands as they are typed: in this process where that is enough, and as processes of their own."""

import json
import logging
import os
import re

import httpx
import pytest
import structlog
from typer.testing import CliRunner

from billing_service.cli.app import app
from tests.cli.cli_running import FREE_PORTS, Processes, address_in, sandbox_in

SETTINGS = ("BILLING_", "STRIPE_", "GATEWAY_", "SANDBOX_", "DATABASE_URL", "FRONTEND_URL")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No setting of whoever runs the tests, and an empty working directory."""
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def billing():
    """Runs a command in this process, with `answer` on its standard input; answers exit_code, stdout and stderr."""

    def run(*arguments, answer=None, **env):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=answer, env=env)

    return run


@pytest.fixture
def processes():
    with Processes() as started:
        yield started


@pytest.fixture(scope="module")
def dev_stack(tmp_path_factory):
    """`billing dev` on ports that the system chose: (address of the service, URL of the sandbox)."""
    with Processes() as started:
        process = started.start("dev", cwd=tmp_path_factory.mktemp("dev"), **FREE_PORTS)
        panel = process.read_until("Ctrl-C")
        yield address_in(panel), sandbox_in(panel)
        assert process.stop() == 0


@pytest.fixture
def operate(billing, dev_stack):
    """Runs a command against the service; answers standard output. The command must succeed unless another code is
    expected."""
    address, _ = dev_stack

    def run(*arguments, code=0):
        result = billing(*arguments, BILLING_ADDRESS=address)
        assert result.exit_code == code, result.output + result.stderr
        return result.stderr if code else result.stdout

    return run


@pytest.fixture
def account(operate, request):
    """An account of this test's own."""
    name = re.sub(r"[^a-z0-9_-]+", "-", request.node.name.removeprefix("test_"))[:60]
    operate("accounts", "create", name, "--email", "ada@example.com", "--name", "[bold]Ada[/bold]")
    return name


@pytest.fixture
def buy(operate, dev_stack):
    """Makes a completed purchase; answers its id."""

    def bought(account, *arguments, card="4242424242424242"):
        made = json.loads(operate("purchases", "create", account, *arguments, "--json"))["purchase"]
        form = {
            "email": "a@example.com",
            "method": "card",
            "number": card,
            "expiry": "12/39",
            "cvc": "123",
            "name": "A",
        }
        assert httpx.post(made["checkout_url"], data=form).status_code == httpx.codes.SEE_OTHER
        assert httpx.post(f"{dev_stack[1]}/_sandbox/webhooks/drain", json={"timeout_s": 20}).json()["drained"]
        return made["purchase_id"]

    return bought
