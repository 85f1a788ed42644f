"""The `billing` command as a process."""

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

PATIENCE_S = 60
FREE_PORTS = {"SANDBOX_PORT": "0", "GATEWAY_PORT": "0", "BILLING_LISTEN": "127.0.0.1:0"}
"""For `billing dev`: the system chooses."""
STRIPE_KEY = "sk_" + "test_" + "canary0123456789"
WEBHOOK_SECRET = "whsec_" + "canary-0123456789"
PEPPER = "pepper-" + "0123456789abcdef" * 2


class Process:
    """One that runs; what it says on both streams is kept."""

    def __init__(self, arguments, cwd, env):
        plain = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "billing_service.cli", *map(str, arguments)],
            cwd=cwd,
            env=plain | {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error::ResourceWarning"} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def read_until(self, words):
        """Waits for a line with these words; answers all that was said up to it."""
        for line in self.popen.stdout:
            self.said += line
            if words in line:
                return self.said
        raise AssertionError(f"ended with {self.popen.wait()} before it said {words!r}:\n{self.said}")

    def send(self, number):
        self.popen.send_signal(number)

    def end(self):
        """Waits for its end; answers the exit code."""
        rest, _ = self.popen.communicate(timeout=PATIENCE_S)
        self.said += rest or ""
        return self.popen.returncode

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        return self.end()


class Processes:
    """Those that a test started; none outlives it."""

    def __init__(self):
        self._started = ExitStack()

    def start(self, *arguments, cwd: Path, **env) -> Process:
        process = Process(arguments, cwd, env)
        self._started.callback(_end, process.popen)
        return process

    def run(self, *arguments, cwd: Path, **env):
        """Runs to its end: (exit code, all it said)."""
        process = self.start(*arguments, cwd=cwd, **env)
        return process.end(), process.said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._started.close()


def _end(popen):
    if popen.poll() is None:
        popen.kill()
    popen.wait()
    popen.stdout.close()


def service_settings(**others):
    """Enough for `billing serve` on a port that the system chooses."""
    return {
        "DATABASE_URL": "sqlite:///ledger.db",
        "BILLING_MIGRATE_ON_START": "true",
        "BILLING_LISTEN": "127.0.0.1:0",
        "BILLING_AUTH": "off",
        "BILLING_API_KEY_PEPPER": PEPPER,
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        **others,
    }


def address_in(said):
    return re.search(r"127\.0\.0\.1:\d+", said)[0]


def sandbox_in(said):
    return re.search(r"(http://127\.0\.0\.1:\d+) \(the sandbox", said)[1]
