"""Ledgers of every mode, and of none yet; settings of every mode."""

from dataclasses import replace

from billing_service.domain.deployment import Mode
from billing_service.storage.rows.deployment import claim_deployment
from billing_service.storage.rows.profiles import ensure_account
from billing_service.storage.rows.purchases import claim_reference
from tests.cli.cli_running import PEPPER
from tests.support.doubles import DEPLOYMENT, START_US

KEYS = {
    Mode.SANDBOX: "sk_" + "test_" + "0123456789abcdef01234567",
    Mode.TEST: "rk_" + "test_" + "0123456789abcdef01234567",
    Mode.LIVE: "rk_" + "live_" + "0123456789abcdef01234567",
}
STRIPE = {Mode.SANDBOX: "http://127.0.0.1:9", Mode.TEST: "https://API.stripe.com/", Mode.LIVE: "https://api.stripe.com"}
"""A start asks nobody there."""
LEDGERS = {
    "sandbox": {Mode.SANDBOX},
    "test": {Mode.TEST},
    "live": {Mode.LIVE},
    "new": {*Mode},
    "older, with accounts": {*Mode},
    "older, with checkouts of play money": {Mode.SANDBOX, Mode.TEST},
    "older, with checkouts of real money": {Mode.LIVE},
    "older, with checkouts of both": set(),
}
"""The modes that may serve each."""


def settings_of(mode, database_url):
    """Enough to serve in this mode."""
    return {
        "DATABASE_URL": database_url,
        "BILLING_LISTEN": "127.0.0.1:0",
        "BILLING_AUTH": "off",
        "BILLING_API_KEY_PEPPER": PEPPER,
        "FRONTEND_URL": "https://shop.example",
        "STRIPE_WEBHOOK_SECRET": "whsec_" + "0123456789abcdef01234567",
        "STRIPE_SECRET_KEY": KEYS[mode],
        "STRIPE_API_BASE": STRIPE[mode],
    }


async def make_ledger(store, name):
    """Fills an empty database as the named one."""
    prefixes = [
        prefix
        for prefix, money in (("cs_test_", "play money"), ("cs_live_", "real money"))
        if name.endswith((money, "both"))
    ]

    def work():
        if name in {*Mode}:
            yield from claim_deployment(replace(DEPLOYMENT, mode=Mode(name)))
        if name.startswith("older"):
            yield from ensure_account("ada", START_US, lambda: "AAAA-AAAA")
            for reference in ("cs_other", "pi_1", *(f"{prefix}a1" for prefix in prefixes)):
                yield from claim_reference(reference, "ada", "pur_1")

    await store.write(work)
