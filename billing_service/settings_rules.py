"""What makes a setting unfit, alone or beside others. No message contains a value: values may be secrets in the wrong place."""

import difflib
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from billing_client.setting_rules import (
    CLIENT_NAMES,
    WEBHOOK_SECRET_NAMES,
    check_webhook_secrets,
    meant_name,
    split_secrets,
    weakness,
)
from pydantic import AfterValidator, SecretStr

from billing_service.domain.api_keys import Scope
from billing_service.domain.currencies import is_currency_code
from billing_service.storage.database_url import PostgresServer, parse_database_url
from billing_service.storage.postgres_server import SYSTEM_ROOTS
from billing_service.storage.postgres_url import FILES

if TYPE_CHECKING:
    from billing_service.settings import Settings

PREFIX: Final = "BILLING_"
PREFIXES_OF_OTHERS: Final = ("BILLING_TEST_", "BILLING_BENCH_")

STRIPE_API: Final = "https://api.stripe.com"
SECRET_CHARACTERS_MIN: Final = 32
SECRET_DIFFERENT_CHARACTERS_MIN: Final = 8
LIVE_SECRET_CHARACTERS_MIN: Final = 24
PORT_MAX: Final = 65_535

AMOUNT_SETTINGS: Final = {
    "custom_min_minor": "BILLING_CUSTOM_AMOUNT_MIN_MINOR",
    "custom_max_minor": "BILLING_CUSTOM_AMOUNT_MAX_MINOR",
    "microcredits_per_minor": "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR",
}
"""By the field of `StatedAmounts` that each one fills."""

_STRIPE_KEY = re.compile(r"(?:sk|rk)_(test|live)_[A-Za-z0-9_]+", re.ASCII)
_CALLER = re.compile(r"[A-Za-z0-9._:/@-]{1,64}", re.ASCII)


def database_url(value: SecretStr) -> SecretStr:
    """A URL that can be read, whose files are there."""
    database = parse_database_url(value.get_secret_value())
    if isinstance(database, PostgresServer):
        files = {name: path for name, path in database.tls.items() if name in FILES and path != SYSTEM_ROOTS}
        for name, path in (files | ({"passfile": database.passfile} if database.passfile else {})).items():
            if not Path(path).is_file():
                raise ValueError(f"{name}: there is no such file")
    return value


def split_listen(value: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[host]:port`."""
    host, _, port = value.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > PORT_MAX or (":" in host and not host.startswith("[")):
        raise ValueError("must be host:port")
    return value


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def http_origin(value: str) -> str:
    """`http(s)://host[:port]`, a path allowed, without a slash at the end."""
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or " " in value:
        raise ValueError("must be an http or https address without user name, query and fragment")
    return value.rstrip("/")


def currency_code(value: str) -> str:
    if not is_currency_code(value):
        raise ValueError("must be a lower-case ISO 4217 code, such as usd")
    return value


def frontend_of_the_gateway(given: Mapping[str, str]) -> dict[str, str]:
    """FRONTEND_URL, where the gateway of this environment listens on another port than its usual one."""
    port = given.get("GATEWAY_PORT", "")
    is_port = port.isascii() and port.isdecimal() and 0 < int(port) <= PORT_MAX
    return {"FRONTEND_URL": f"http://127.0.0.1:{int(port)}"} if is_port else {}


def url_path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//") or not value.isprintable() or " " in value:
        raise ValueError("must be a path that begins with one slash")
    return value


def existing_file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("there is no such file")
    return value


def existing_directory(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError("there is no such directory")
    return value


def strong_secret(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    weak = weakness(secret)
    if weak or len(secret) < SECRET_CHARACTERS_MIN or len(set(secret)) < SECRET_DIFFERENT_CHARACTERS_MIN:
        rule = f"must be a random text of {SECRET_CHARACTERS_MIN} characters or more, as of `openssl rand -hex 32`"
        raise ValueError(f"{weak}: it {rule}" if weak else rule)
    return value


def stripe_secret_key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    weak = weakness(key)
    if weak:
        raise ValueError(weak)
    if not _STRIPE_KEY.fullmatch(key):
        raise ValueError("must be a secret (sk_) or restricted (rk_) key of test or live mode")
    if is_live_key(key) and len(key) < LIVE_SECRET_CHARACTERS_MIN:
        raise ValueError("is too short for a live key")
    return value


def is_live_key(key: str) -> bool:
    match = _STRIPE_KEY.fullmatch(key)
    return match is not None and match[1] == "live"


def is_stripes_own(api_base: str) -> bool:
    """Whether the address is Stripe's, and not a stand-in's."""
    return urlsplit(api_base).hostname == urlsplit(STRIPE_API).hostname


def webhook_secrets(value: SecretStr) -> SecretStr:
    check_webhook_secrets(split_secrets(value.get_secret_value()))
    return value


def _is_short(secrets: SecretStr | None) -> bool:
    parts = split_secrets(secrets.get_secret_value()) if secrets else ()
    return any(len(part) < LIVE_SECRET_CHARACTERS_MIN for part in parts)


def tls_callers(value: str) -> str:
    entries = [entry.strip() for entry in value.split(",")] if value else []
    names = []
    for entry in entries:
        name, separator, scopes = entry.partition("=")
        if not separator or not _CALLER.fullmatch(name) or not set(scopes.split("+")) <= set(Scope):
            raise ValueError(f"must be name=scope+scope,… with scopes of {', '.join(Scope)}")
        names.append(name)
    if len(set(names)) < len(names):
        raise ValueError("names a caller twice")
    return ",".join(entries)


def derive_page_token_secret(pepper: SecretStr) -> str:
    return hmac.new(pepper.get_secret_value().encode(), b"page tokens", hashlib.sha256).hexdigest()


def unknown_settings(given: Iterable[str], known: list[str]) -> list[str]:
    """A line for each variable of ours that is none: a typing error would otherwise leave a default in force, unseen."""
    problems = []
    for name in sorted(given):
        if name.startswith(PREFIX) and name not in known and name not in CLIENT_NAMES and not name.startswith(PREFIXES_OF_OTHERS):
            close = [meant_name(name, CLIENT_NAMES) or "", *difflib.get_close_matches(name, known, n=1, cutoff=0.7)]
            meant = next(filter(None, close), None)
            problems.append(f"{name}: there is no such setting" + (f"; did you mean {meant}?" if meant else ""))
    return problems


ListenAddress = Annotated[str, AfterValidator(listen_address)]
Origin = Annotated[str, AfterValidator(http_origin)]
UrlPath = Annotated[str, AfterValidator(url_path)]
Currency = Annotated[str, AfterValidator(currency_code)]
ExistingFile = Annotated[Path, AfterValidator(existing_file)]
ExistingDirectory = Annotated[Path, AfterValidator(existing_directory)]
StrongSecret = Annotated[SecretStr, AfterValidator(strong_secret)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]
StripeSecretKey = Annotated[SecretStr, AfterValidator(stripe_secret_key)]
StripeWebhookSecret = Annotated[SecretStr, AfterValidator(webhook_secrets)]
TlsCallers = Annotated[str, AfterValidator(tls_callers)]


def contradictions(settings: "Settings") -> list[str]:
    """What is fine by itself and not together."""
    serves_tls = settings.tls_certificate_file is not None
    local = is_loopback(split_listen(settings.listen)[0])
    checks = [
        (
            serves_tls != (settings.tls_private_key_file is not None),
            "BILLING_TLS_PRIVATE_KEY_FILE: certificate and private key go together",
        ),
        (settings.tls_client_ca_file is not None and not serves_tls, "BILLING_TLS_CLIENT_CA_FILE: needs BILLING_TLS_CERTIFICATE_FILE"),
        (bool(settings.tls_callers) and settings.tls_client_ca_file is None, "BILLING_TLS_CALLERS: needs BILLING_TLS_CLIENT_CA_FILE"),
        (bool(settings.tls_callers) and settings.auth == "off", "BILLING_TLS_CALLERS: means nothing beside BILLING_AUTH=off"),
        (settings.auth == "off" and not local, "BILLING_AUTH: off is for a loopback address alone"),
        (
            not local and not serves_tls and not settings.allow_plaintext,
            "BILLING_LISTEN: needs BILLING_TLS_CERTIFICATE_FILE on other addresses than loopback, or BILLING_ALLOW_PLAINTEXT=true",
        ),
        (
            settings.metrics_host_port is not None and not is_loopback(settings.metrics_host_port[0]) and not settings.allow_plaintext,
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
    unfit = [f"{AMOUNT_SETTINGS[field]}: {what}" for field, what in settings.stated_amounts.faults()]
    return [message for applies, message in (*checks, *_stripe_contradictions(settings)) if applies] + unfit


def _stripe_contradictions(settings: "Settings") -> list[tuple[bool, str]]:
    stripe = urlsplit(settings.stripe_api_base)
    return [
        (
            None not in (settings.stripe_secret_key, settings.stripe_api_key) and settings.stripe_secret_key != settings.stripe_api_key,
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
        (settings.stripe_livemode and not settings.frontend_url.startswith("https:"), "FRONTEND_URL: needs https beside a live key"),
        *(
            (settings.stripe_livemode and _is_short(secret), f"{name}: is too short beside a live key")
            for name, secret in zip(
                WEBHOOK_SECRET_NAMES, (settings.stripe_webhook_secret, settings.stripe_webhook_secret_credits), strict=True
            )
        ),
    ]


def missing_to_serve(settings: "Settings") -> list[str]:
    checks = [
        (settings.stripe_secret_key is None, "STRIPE_SECRET_KEY: is required"),
        (not settings.stripe_webhook_secrets, "STRIPE_WEBHOOK_SECRET: is required"),
        (
            settings.auth == "keys" and settings.api_key_pepper is None,
            "BILLING_API_KEY_PEPPER: is required, unless BILLING_AUTH=off on a loopback address",
        ),
        (
            settings.database_kind == "postgresql" and settings.api_key_pepper is None and settings.page_token_secret is None,
            "BILLING_PAGE_TOKEN_SECRET: is required where processes share a database and there is no BILLING_API_KEY_PEPPER",
        ),
    ]
    return [message for applies, message in checks if applies]
