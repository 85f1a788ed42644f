"""What makes settings unfit together, each of which is fit alone. No message contains a value."""

from typing import Final
from urllib.parse import urlsplit

from billing_client.addresses import is_loopback
from billing_client.setting_rules import WEBHOOK_SECRET_NAMES, split_secrets
from pydantic import SecretStr

from billing_service.settings.model import Settings
from billing_service.settings.values import LIVE_SECRET_CHARACTERS_MIN, STRIPE_API, split_listen

AMOUNT_SETTINGS: Final = {
    "custom_min_minor": "BILLING_CUSTOM_AMOUNT_MIN_MINOR",
    "custom_max_minor": "BILLING_CUSTOM_AMOUNT_MAX_MINOR",
    "microcredits_per_minor": "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR",
}
"""By the field of `StatedAmounts` that each one fills."""


def contradictions(settings: Settings) -> list[str]:
    """What is fine by itself and not together."""
    serves_tls = settings.tls_certificate_file is not None
    local = is_loopback(split_listen(settings.listen)[0])
    checks = [
        (
            serves_tls != (settings.tls_private_key_file is not None),
            "BILLING_TLS_PRIVATE_KEY_FILE: certificate and private key go together",
        ),
        (
            settings.tls_client_ca_file is not None and not serves_tls,
            "BILLING_TLS_CLIENT_CA_FILE: needs BILLING_TLS_CERTIFICATE_FILE",
        ),
        (
            bool(settings.tls_callers) and settings.tls_client_ca_file is None,
            "BILLING_TLS_CALLERS: needs BILLING_TLS_CLIENT_CA_FILE",
        ),
        (
            bool(settings.tls_callers) and settings.auth == "off",
            "BILLING_TLS_CALLERS: has no effect with BILLING_AUTH=off",
        ),
        (settings.auth == "off" and not local, "BILLING_AUTH: off is for a loopback address alone"),
        (
            not local and not serves_tls and not settings.allow_plaintext,
            (
                "BILLING_LISTEN: needs BILLING_TLS_CERTIFICATE_FILE on other addresses than loopback, or "
                "BILLING_ALLOW_PLAINTEXT=true"
            ),
        ),
        (
            settings.metrics_host_port is not None
            and not is_loopback(settings.metrics_host_port[0])
            and not settings.allow_plaintext,
            "BILLING_METRICS_ADDRESS: needs BILLING_ALLOW_PLAINTEXT=true on other addresses than loopback",
        ),
        (
            settings.stripe_timeout_s * 2 >= settings.deadline_default_s,
            "STRIPE_TIMEOUT_S: twice this must fit in BILLING_DEADLINE_DEFAULT_S",
        ),
        (
            settings.api_key_pepper is not None and settings.api_key_pepper == settings.page_token_secret,
            "BILLING_PAGE_TOKEN_SECRET: must differ from BILLING_API_KEY_PEPPER",
        ),
    ]
    checks += _webhook_contradictions(settings)
    unfit = [f"{AMOUNT_SETTINGS[field]}: {what}" for field, what in settings.stated_amounts.faults()]
    return [message for applies, message in (*checks, *_stripe_contradictions(settings)) if applies] + unfit


def _webhook_contradictions(settings: Settings) -> list[tuple[bool, str]]:
    url = urlsplit(settings.webhook_url or "")
    return [
        (
            url.scheme == "http" and not is_loopback(url.hostname or ""),
            "BILLING_WEBHOOK_URL: needs https on other addresses than loopback",
        ),
        (
            settings.webhook_url is not None and settings.webhook_secrets is None,
            "BILLING_WEBHOOK_SECRETS: is required with BILLING_WEBHOOK_URL",
        ),
    ]


def _stripe_contradictions(settings: Settings) -> list[tuple[bool, str]]:
    stripe = urlsplit(settings.stripe_api_base)
    return [
        (
            None not in (settings.stripe_secret_key, settings.stripe_api_key)
            and settings.stripe_secret_key != settings.stripe_api_key,
            "STRIPE_API_KEY: differs from STRIPE_SECRET_KEY, which is another name of the same setting; keep one",
        ),
        (
            settings.stripe_livemode and settings.stripe_api_base != STRIPE_API,
            "STRIPE_API_BASE: a live key goes to Stripe and nowhere else",
        ),
        (
            stripe.scheme == "http" and not is_loopback(stripe.hostname or ""),
            "STRIPE_API_BASE: needs https on other addresses than loopback",
        ),
        (
            settings.stripe_livemode and not settings.frontend_url.startswith("https:"),
            "FRONTEND_URL: needs https with a live key",
        ),
        *(
            (settings.stripe_livemode and _is_short(secret), f"{name}: is too short for a live key")
            for name, secret in zip(
                WEBHOOK_SECRET_NAMES,
                (settings.stripe_webhook_secret, settings.stripe_webhook_secret_credits),
                strict=True,
            )
        ),
    ]


def missing_to_serve(settings: Settings) -> list[str]:
    checks = [
        (settings.stripe_secret_key is None, "STRIPE_SECRET_KEY: is required"),
        (not settings.stripe_webhook_secrets, "STRIPE_WEBHOOK_SECRET: is required"),
        (
            settings.auth == "keys" and settings.api_key_pepper is None,
            "BILLING_API_KEY_PEPPER: is required, unless BILLING_AUTH=off on a loopback address",
        ),
        (
            settings.database_kind == "postgresql"
            and settings.api_key_pepper is None
            and settings.page_token_secret is None,
            (
                "BILLING_PAGE_TOKEN_SECRET: is required where processes share a database and there is no "
                "BILLING_API_KEY_PEPPER"
            ),
        ),
    ]
    return [message for applies, message in checks if applies]


def _is_short(secrets: SecretStr | None) -> bool:
    parts = split_secrets(secrets.get_secret_value()) if secrets else ()
    return any(len(part) < LIVE_SECRET_CHARACTERS_MIN for part in parts)
