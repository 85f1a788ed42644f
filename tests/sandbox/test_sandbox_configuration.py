"""Settings with which the sandbox refuses to start."""

from typing import Any

import pytest

from billing_service.sandbox.config import SandboxConfig, SandboxRefusedError, Switches, WebhookEndpoint
from billing_service.sandbox.run import main
from tests.sandbox.sandbox_running import LIVE_KEY, SECRET, TEST_KEY


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"secret_key": LIVE_KEY}, "secret_key"),
        ({"secret_key": "rk_" + "live_" + "x"}, "secret_key"),
        ({"secret_key": "hello"}, "secret_key"),
        ({"base_url": "example.com"}, "base_url"),
        ({"base_url": "https://example.com/stripe"}, "base_url"),
        ({"settlement_delay_s": -1.0}, "settlement_delay_s"),
        ({"delivery_attempts_max": 0}, "delivery_attempts_max"),
        ({"delivery_timeout_s": -1.0}, "delivery times"),
    ],
)
def test_configuration_that_refuses_to_start(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(SandboxRefusedError, match=named) as refused:
        SandboxConfig(**settings)
    assert LIVE_KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "secret"),
    [("ftp://x/y", SECRET), ("nowhere", SECRET), ("http://x/y", ""), ("http://x/y", "whsec_"), ("http://x/y", "abc")],
)
def test_endpoint_that_is_refused(url: str, secret: str) -> None:
    with pytest.raises(SandboxRefusedError, match="webhook endpoint"):
        WebhookEndpoint(url, secret)


def test_switch_out_of_range_is_refused() -> None:
    with pytest.raises(SandboxRefusedError, match="delay_s"):
        Switches(delay_s=-1)


def test_process_refuses_a_live_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", LIVE_KEY)
    assert main(["--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "live" in said
    assert LIVE_KEY not in said


def test_secrets_do_not_print() -> None:
    config = SandboxConfig(secret_key=TEST_KEY, webhook_endpoints=(WebhookEndpoint("http://x/y", SECRET),))
    assert TEST_KEY not in repr(config)
    assert SECRET not in repr(config)
