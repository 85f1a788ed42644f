"""The sandbox as a process of its own."""

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import main, serve_sandbox
from tests.sandbox.sandbox_running import SECRET, TEST_KEY

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30


def test_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize("secret", ["", "nonsense"])
def test_webhook_without_a_good_secret_refuses_to_start(
    secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", secret)
    assert main(["--port", "0", "--webhook-url", "http://127.0.0.1:1/hook"]) == 2
    assert "webhook endpoint secret" in capsys.readouterr().err


async def test_starts_says_where_and_stops_on_sigterm() -> None:
    environment = os.environ | {"STRIPE_SECRET_KEY": TEST_KEY, "STRIPE_WEBHOOK_SECRET": f"{SECRET},{SECRET}2"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "billing_service.sandbox", "--port", "0", "--webhook-url", "http://127.0.0.1:1/hook",
        cwd=PROJECT, env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
    address = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert address is not None
    async with aiohttp.ClientSession() as http, http.get(f"{address[0]}/_sandbox/state") as response:
        assert (await response.json())["endpoints"] == ["http://127.0.0.1:1/hook"]
    process.send_signal(signal.SIGTERM)
    rest = (await asyncio.wait_for(process.stdout.read(), PATIENCE_S)).decode()
    assert await process.wait() == 0
    assert SECRET not in said + rest
    assert TEST_KEY not in said + rest


async def test_base_url_given_from_outside_stands_in_urls(unused_tcp_port: int) -> None:
    form = {"mode": "payment", "success_url": "https://shop.example/ok", "line_items[0][quantity]": "1"}
    form |= {
        f"line_items[0][price_data][{name}]": value
        for name, value in (("currency", "usd"), ("unit_amount", "999"), ("product_data][name", "x"))
    }
    async with (
        serve_sandbox(SandboxConfig(base_url="https://pay.example/"), port=unused_tcp_port) as outside,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TEST_KEY}"}) as http,
        http.post(f"http://127.0.0.1:{unused_tcp_port}/v1/checkout/sessions", data=form) as response,
    ):
        assert outside == "https://pay.example"
        assert (await response.json())["url"].startswith("https://pay.example/c/pay/cs_test_")
