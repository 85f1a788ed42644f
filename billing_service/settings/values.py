"""What one value of a setting must be. No message contains a value: it may be a secret in the wrong place."""

import re
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from billing_client.setting_rules import check_webhook_secrets, split_secrets, weakness
from pydantic import AfterValidator, SecretStr

from billing_service.domain.access.api_keys import Scope
from billing_service.domain.catalogue.currencies import is_currency_code
from billing_service.domain.spending.outcome_policies import parse_policies
from billing_service.feed.signing import secret_key
from billing_service.storage.database_url import PostgresServer, parse_database_url
from billing_service.storage.postgres.server import SYSTEM_ROOTS
from billing_service.storage.postgres.url import FILES

STRIPE_API: Final = "https://api.stripe.com"
SECRET_CHARACTERS_MIN: Final = 32
SECRET_DIFFERENT_CHARACTERS_MIN: Final = 8
LIVE_SECRET_CHARACTERS_MIN: Final = 24
PORT_MAX: Final = 65_535

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
    if (
        not host
        or not (port.isascii() and port.isdigit())
        or int(port) > PORT_MAX
        or (":" in host and not host.startswith("["))
    ):
        raise ValueError("must be host:port")
    return value


def http_origin(value: str) -> str:
    """`http(s)://host[:port]`, a path allowed, without a slash at the end."""
    try:
        parts = urlsplit(value)
        fits = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or " " in value:
        raise ValueError("must be an http or https address without user name, query and fragment")
    return value.rstrip("/")


def currency_code(value: str) -> str:
    if not is_currency_code(value):
        raise ValueError("must be a lower-case ISO 4217 code, such as usd")
    return value


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


def event_secrets(value: SecretStr) -> SecretStr:
    """Each signs, and none is named twice."""
    given = split_secrets(value.get_secret_value())
    for secret in given:
        weak = weakness(secret)
        if weak:
            raise ValueError(weak)
        secret_key(secret)
    if len(set(given)) < len(given):
        raise ValueError("names a secret twice")
    return value


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


def outcome_policies(value: str) -> str:
    parse_policies(value)
    return value


def time_zone(value: str) -> str:
    """A zone of the system's time zone database. UTC needs none."""
    try:
        zone_of(value)
    except (KeyError, ValueError, OSError):
        if not available_timezones():
            raise ValueError(
                "this machine has no time zone database: install the system's package or the distribution tzdata"
            ) from None
        raise ValueError("must be an IANA time zone that this machine knows, such as Europe/Berlin") from None
    return value


def zone_of(name: str) -> tzinfo:
    """ZoneInfoNotFoundError, ValueError or OSError where the machine does not know it."""
    return UTC if name == "UTC" else ZoneInfo(name)


ListenAddress = Annotated[str, AfterValidator(listen_address)]
Origin = Annotated[str, AfterValidator(http_origin)]
UrlPath = Annotated[str, AfterValidator(url_path)]
TimeZone = Annotated[str, AfterValidator(time_zone)]
Currency = Annotated[str, AfterValidator(currency_code)]
ExistingFile = Annotated[Path, AfterValidator(existing_file)]
ExistingDirectory = Annotated[Path, AfterValidator(existing_directory)]
StrongSecret = Annotated[SecretStr, AfterValidator(strong_secret)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]
StripeSecretKey = Annotated[SecretStr, AfterValidator(stripe_secret_key)]
EventSecrets = Annotated[SecretStr, AfterValidator(event_secrets)]
StripeWebhookSecret = Annotated[SecretStr, AfterValidator(webhook_secrets)]
TlsCallers = Annotated[str, AfterValidator(tls_callers)]
OutcomePoliciesText = Annotated[str, AfterValidator(outcome_policies)]
