"""What the gateway needs to know, checked when it is made."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from billing_client.options import ClientOptions
from billing_client.setting_rules import check_webhook_secrets
from billing_client.stripe_signature import TOLERANCE_S_DEFAULT, TOLERANCE_S_MAX

HEALTH_PATH = "/healthz"
HOME_PATH = "/"
RETURN_PATH = "/billing/success"
CANCEL_PATH = "/billing/cancel"
PAGES = (HOME_PATH, HEALTH_PATH, RETURN_PATH, CANCEL_PATH)
"""The gateway's own, which no webhook path may be."""
PATHS_DEFAULT = (
    "/webhooks/stripe",
    "/api/credits/webhook",
    "/api/stripe/webhook",
    "/api/webhooks/stripe",
    "/api/v1/billing/credits/webhook",
)
"""The canonical path first, then those of endpoints that are registered at Stripe already."""


@dataclass(slots=True, kw_only=True)
class GatewayConfig:
    """ValueError names the setting that does not fit and repeats no secret."""

    secrets: tuple[str, ...] = field(repr=False)
    """Webhook secrets (`whsec_…`); while one is being rotated, both."""
    billing: ClientOptions = field(default_factory=ClientOptions)
    """Where the service is, and the key of scope WEBHOOK."""
    paths: tuple[str, ...] = PATHS_DEFAULT
    tolerance_s: int = TOLERANCE_S_DEFAULT
    body_bytes_max: int = 256 * 1024
    """The service takes no more; Stripe's events are a few KiB."""
    receive_timeout_s: float = 10.0
    """From the opening of a connection, or the first byte of a later request, to the last byte of its body."""
    keepalive_timeout_s: float = 15.0
    """How long a connection may stay silent between requests."""
    forward_timeout_s: float = 5.0
    """For the service's answer, retries included. Stripe waits longer than that, and delivers again after a 503."""
    connections_max: int = 1000
    connections_per_peer_max: int = 500
    """Generous, because behind a load balancer all connections come from one peer."""
    next_commands: tuple[str, ...] = ()
    """What the page after paying shows as the next commands, on a developer's machine; `{session_id}` is filled in."""
    now_s: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.secrets = _checked_secrets(self.secrets)
        for path in self.paths:
            if not path.startswith("/") or path in PAGES or not path.isprintable() or set(path) & set(" {}?#%"):
                raise ValueError(f"paths: {path!r} can't be a path of webhooks")
        if not self.paths or len(set(self.paths)) != len(self.paths):
            raise ValueError("paths: at least one, each once")
        if not 1 <= self.tolerance_s <= TOLERANCE_S_MAX:
            raise ValueError(f"tolerance_s: must be 1 to {TOLERANCE_S_MAX}")
        for name in (
            "body_bytes_max",
            "receive_timeout_s",
            "keepalive_timeout_s",
            "forward_timeout_s",
            "connections_per_peer_max",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be above 0")
        if self.connections_max < self.connections_per_peer_max:
            raise ValueError("connections_max: must be at least connections_per_peer_max")

    def replace_secrets(self, secrets: Sequence[str]) -> None:
        """Take other webhook secrets from the next request on. ValueError leaves the old ones in place."""
        self.secrets = _checked_secrets(secrets)


def _checked_secrets(secrets: Sequence[str]) -> tuple[str, ...]:
    if isinstance(secrets, str) or not secrets:
        raise ValueError("secrets: a list of at least one webhook secret")
    try:
        check_webhook_secrets(secrets)
    except ValueError as unfit:
        raise ValueError(f"secrets: {unfit}") from unfit
    return tuple(secrets)
