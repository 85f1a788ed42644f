"""What a sandbox is started with, checked before anything listens."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LIVE_KEY_PREFIXES = ("sk_live_", "rk_live_", "pk_live_")
TEST_KEY_PREFIXES = ("sk_test_", "rk_test_")
PUBLISHABLE_KEY_PREFIX = "pk_test_"
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of a secret


class SandboxRefusedError(ValueError):
    """The sandbox does not start with this configuration. The message names the field and prints no secret."""


def is_web_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Where events are sent, and the `whsec_` secret that signs them."""

    url: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_web_url(self.url):
            raise SandboxRefusedError("webhook endpoint url: must be an http(s) address")
        if not self.secret.startswith(WEBHOOK_SECRET_PREFIX) or len(self.secret) <= len(WEBHOOK_SECRET_PREFIX):
            raise SandboxRefusedError("webhook endpoint secret: must start with whsec_ and not be blank")


@dataclass(frozen=True, slots=True)
class Switches:
    """How webhooks and banks behave. Changeable at run time."""

    duplicate: bool = False
    """Every event is sent twice."""
    delay_s: float = 0.0
    """Wait before the first attempt of every event, 0..3600."""
    reorder: bool = False
    """Events that follow each other within `reorder_window_s` are sent newest first."""
    settles: bool = True
    """Delayed payments and refunds settle by themselves, where the config says after how long. False: those that begin
    from now on wait for a control call."""

    def __post_init__(self) -> None:
        if not 0 <= self.delay_s <= 3600:  # noqa: PLR2004 - an hour, as documented above
            raise SandboxRefusedError("delay_s: must be between 0 and 3600 seconds")


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Everything a sandbox can be told at start. All times are in seconds."""

    base_url: str = ""
    """Where browsers and callers reach the sandbox. Empty: the address that it is bound to."""
    secret_key: str = field(default="", repr=False)
    """The Stripe key of the service beside the sandbox, only to refuse a live one. Requests may bring any test key."""
    webhook_endpoints: tuple[WebhookEndpoint, ...] = ()
    switches: Switches = Switches()
    merchant_name: str = "Prepaid Credits"
    settlement_delay_s: float | None = None
    """After how long delayed payments and pending refunds settle by themselves. None: only when a control call says
    so."""
    delivery_attempts_max: int = 5
    delivery_first_retry_s: float = 1.0
    """Wait before the second attempt; doubles with each further one."""
    delivery_timeout_s: float = 10.0
    reorder_window_s: float = 0.2
    clock: Callable[[], float] = time.time
    """Seconds since the epoch."""

    def __post_init__(self) -> None:
        if self.secret_key.startswith(LIVE_KEY_PREFIXES):
            raise SandboxRefusedError("secret_key: is a live Stripe key; the sandbox never runs with live keys")
        if self.secret_key and not self.secret_key.startswith(TEST_KEY_PREFIXES):
            raise SandboxRefusedError("secret_key: must start with sk_test_ or rk_test_")
        if self.base_url and (not is_web_url(self.base_url) or urlsplit(self.base_url).path not in {"", "/"}):
            raise SandboxRefusedError("base_url: must be an http(s) address without a path")
        if self.settlement_delay_s is not None and self.settlement_delay_s < 0:
            raise SandboxRefusedError("settlement_delay_s: must not be negative")
        if self.delivery_attempts_max < 1:
            raise SandboxRefusedError("delivery_attempts_max: must be at least 1")
        if min(self.delivery_first_retry_s, self.delivery_timeout_s, self.reorder_window_s) < 0:
            raise SandboxRefusedError("delivery times: must not be negative")
