"""Commands as they are typed: in this process where that is enough, and as processes of their own."""

import logging
import os

import pytest
import structlog
from cli_running import FREE_PORTS, Processes, address_in, sandbox_in
from typer.testing import CliRunner

from billing_service.cli import app

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
    """Runs a command in this process; answers exit_code, stdout and stderr."""
    return lambda *arguments, **env: CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)


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
