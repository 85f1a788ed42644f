"""What `billing dev` fills in, so that everything runs on this machine without a single setting."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from billing_client.setting_rules import STRIPE_KEY_NAMES

from billing_service.sandbox.config import LIVE_KEY_PREFIXES
from billing_service.settings import SettingsInvalid

SANDBOX_DATABASE_URL = "sqlite:///var/sandbox.db"
"""Begun anew each time, and not the default of real settings: play money never ends up in a ledger that real settings
serve."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen besides the service; 0: the system chooses."""

    sandbox: int
    gateway: int


def read_ports(given: Mapping[str, str], *, sandbox: int, gateway: int) -> Ports:
    """SANDBOX_PORT and GATEWAY_PORT, or these. Raises SettingsInvalid."""
    names = {"SANDBOX_PORT": sandbox, "GATEWAY_PORT": gateway}
    problems = [f"{name}: must be a port" for name in names if name in given and not _is_port(given[name])]
    if problems:
        raise SettingsInvalid(problems)
    return Ports(*(int(given.get(name, default)) for name, default in names.items()))


def needs_sandbox(given: Mapping[str, str]) -> bool:
    """Whether Stripe has to be stood in for. Raises SettingsInvalid where a live key is set, or for settings that
    contradict it."""
    named = [name for name in STRIPE_KEY_NAMES if name in given]
    live = [name for name in named if given[name].startswith(LIVE_KEY_PREFIXES)]
    if live:
        rule = "is a live key, and neither the sandbox nor `billing dev` runs with one; use `billing serve`"
        raise SettingsInvalid([f"{name}: {rule}" for name in live])
    if not named and "STRIPE_API_BASE" in given:
        raise SettingsInvalid(
            [
                (
                    "STRIPE_API_BASE: needs STRIPE_SECRET_KEY; without a key the sandbox is started, "
                    "which has its own address"
                )
            ]
        )
    return not named


def filled_in(given: Mapping[str, str], sandbox_url: str | None, gateway_url: str) -> dict[str, str]:
    """The given settings over throw-away ones. `sandbox_url`: where the stand-in listens; None for Stripe itself."""
    chosen = {
        "BILLING_MIGRATE_ON_START": "true",
        "BILLING_REFLECTION": "true",
        "BILLING_LISTEN": "127.0.0.1:50051",
        "FRONTEND_URL": gateway_url,
    }
    if "BILLING_API_KEY_PEPPER" not in given:
        # Without a pepper of one's own, keys would be worth nothing after a restart; on loopback none is needed.
        if given.get("BILLING_AUTH", "off") == "off":
            chosen |= {"BILLING_AUTH": "off", "BILLING_PAGE_TOKEN_SECRET": secrets.token_hex(32)}
        else:
            chosen["BILLING_API_KEY_PEPPER"] = secrets.token_hex(32)
    if sandbox_url is not None:
        chosen |= {
            "DATABASE_URL": SANDBOX_DATABASE_URL,
            "STRIPE_SECRET_KEY": "sk_" + "test_" + secrets.token_hex(16),
            "STRIPE_WEBHOOK_SECRET": "whsec_" + secrets.token_hex(24),
            "STRIPE_API_BASE": sandbox_url,
            "BILLING_REFERRAL_VESTING_DELAY_S": "0",  # so that bonuses can be seen and spent at once
        }
    return {**chosen, **given}


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= 65_535  # noqa: PLR2004 - the largest port
