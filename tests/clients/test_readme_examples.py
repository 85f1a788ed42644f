"""What the READMEs show is run as it is written: examples against the real service, and the lines that install."""

import ast
import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from billing_client import AsyncBillingClient, SpendWindow

from billing_service.testing import running_billing_service

ROOT = Path(__file__).parents[2]
README, CLIENT_README = ROOT / "README.md", ROOT / "clients/python/README.md"


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def service():
    with running_billing_service() as running:
        yield running


class Shown:
    """Runs examples, and keeps what they print."""

    def __init__(self):
        self.said = []

    def run(self, code, **names):
        """The names that it leaves, and a coroutine where it awaits something."""
        names["print"] = lambda *words: self.said.append(" ".join(map(str, words)))
        compiled = compile(code, "<README>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return names, eval(compiled, names)


def test_the_first_example_meets_no_missing_account_and_may_be_run_again(service):
    example, _ = blocks(README, "python")
    assert example.count("127.0.0.1:50051") == 1
    shown, here = Shown(), example.replace("127.0.0.1:50051", service.address)
    for _ in range(2):
        shown.run(here)
    with service.client() as client:
        client.grant_credits(account_id="alice", amount_microcredits=5_000_000, reason="test")
    shown.run(here)
    missing = "missing: 3000000"
    assert shown.said == [missing, missing, "left: 2000000", "a model call cost: 718750"]


def test_the_example_of_a_session_charges_what_was_streamed(service):
    _, example = blocks(README, "python")
    with service.client() as client:
        client.grant_credits(account_id="alice", amount_microcredits=5_000_000, reason="test")
    shown = Shown()
    shown.run(example.replace("127.0.0.1:50051", service.address))
    assert shown.said == ["charged: 120750"]


async def test_the_examples_of_the_client_follow_each_other(service, monkeypatch):
    monkeypatch.setenv("BILLING_ADDRESS", service.address)
    monkeypatch.delenv("BILLING_API_KEY", raising=False)
    first, batch, stream, watch, feed, _tests = blocks(CLIENT_README, "python")
    shown = Shown()
    await asyncio.to_thread(shown.run, first)
    with service.client() as client:
        await asyncio.to_thread(
            lambda: client.grant_credits(account_id="user-1", amount_microcredits=200_000_000, reason="test")
        )
        await asyncio.to_thread(shown.run, first)
        names, _ = await asyncio.to_thread(lambda: shown.run(batch, client=client))
        await asyncio.to_thread(lambda: shown.run(watch, client=client))
        window = SpendWindow.SPEND_WINDOW_DAY
        await asyncio.to_thread(
            lambda: client.set_spend_limit(account_id="user-1", window=window, limit_microcredits=10**12)
        )
        await asyncio.to_thread(lambda: shown.run(feed, client=client))
    assert len(names["deductions"]) == 500
    assert shown.said == ["missing: 3000000", "left: 197000000", "72000000 502", "4 user-1"]
    async with AsyncBillingClient(service.address) as client:
        names, coroutine = shown.run(stream, async_client=client, Deduction=names["Deduction"])
        await coroutine
    assert names["answer"].transaction_id


def test_the_tests_that_the_client_shows_pass(tmp_path):
    (tmp_path / "test_shown.py").write_text(blocks(CLIENT_README, "python")[-1])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "/dev/null",
        "--rootdir",
        tmp_path,
        "--basetemp",
        tmp_path / "base",
        tmp_path,
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "2 passed" in run.stdout


INSTALLED = {
    "./clients/python": ["billing_client"],
    "./clients/python .": ["billing_client", "billing_service", "webhook_gateway"],
}


@pytest.mark.parametrize("argument", INSTALLED)
def test_what_installs_it_does(argument, tmp_path):
    shown = {line.split("#")[0].strip() for block in blocks(CLIENT_README, "sh") for line in block.splitlines()}
    shown |= set(re.findall(r"`(pip install [^`]+)`", CLIENT_README.read_text() + README.read_text()))
    assert f"pip install {argument}" in shown
    checkout, target = tmp_path / "checkout", tmp_path / "target"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if name.startswith(("tests/", "docs/", "findings/")) or not (ROOT / name).is_file():
            continue
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, checkout / name)
    # What a test may not fetch is here already: the build's tools and the dependencies.
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        target,
        *argument.split(),
    ]
    run = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    imported = "; ".join(f"import {name}; print({name}.__file__)" for name in INSTALLED[argument])
    run = subprocess.run(
        [sys.executable, "-c", imported],
        env=os.environ | {"PYTHONPATH": str(target)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [Path(line).is_relative_to(target) for line in run.stdout.splitlines()] == [True] * len(
        INSTALLED[argument]
    ), run.stderr
