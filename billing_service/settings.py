"""Every setting of the service, from the environment and `.env`; `load_settings` is the one door.

Names of our own begin with BILLING_; the others are those that Stripe's and databases' users know. Units stand last in each name.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Literal, Self

from billing_client.setting_rules import hint, split_secrets, unread_names
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from billing_service.domain.api_keys import Scope
from billing_service.domain.deployment import Mode
from billing_service.domain.stated_amounts import StatedAmounts
from billing_service.settings_proxies import proxy_to, under_one_name, unusable_proxy
from billing_service.settings_rules import (
    PREFIX,
    Currency,
    DatabaseUrl,
    ExistingDirectory,
    ExistingFile,
    ListenAddress,
    Origin,
    StripeSecretKey,
    StripeWebhookSecret,
    StrongSecret,
    TlsCallers,
    UrlPath,
    contradictions,
    derive_page_token_secret,
    frontend_of_the_gateway,
    is_live_key,
    is_stripes_own,
    missing_to_serve,
    split_listen,
    unknown_settings,
)
from billing_service.settings_sources import process_environment
from billing_service.storage.database_url import Database, SqliteFile, parse_database_url

Purpose = Literal["serve", "operate"]
"""`serve` needs Stripe and a pepper; `operate` (migrate, verify, backup …) only the database."""


class SettingsInvalid(Exception):  # noqa: N818 - what it is, not what went wrong inside
    """The settings can't be used. `problems` has one line each: the setting's name and what is wrong, never its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _setting(name: str, default: Any, description: str, **constraints: Any) -> Any:
    return Field(default, validation_alias=name, description=description, **constraints)


class Settings(BaseModel):
    """Checked one by one and against each other. Secrets show as asterisks wherever they are printed."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: DatabaseUrl = _setting(
        "DATABASE_URL",
        SecretStr("sqlite:///var/billing.db"),
        "`sqlite:///file` or `postgresql://user:password@host/database`, with libpq's options",
    )
    migrate_on_start: bool = _setting("BILLING_MIGRATE_ON_START", False, "Apply missing migrations before serving")

    listen: ListenAddress = _setting("BILLING_LISTEN", "127.0.0.1:50051", "Address of the gRPC server, `host:port`")
    reflection: bool = _setting("BILLING_REFLECTION", False, "Let clients discover the services (`buf curl`)")
    allow_plaintext: bool = _setting("BILLING_ALLOW_PLAINTEXT", False, "Serve without TLS on other addresses than loopback")
    tls_certificate_file: ExistingFile | None = _setting(
        "BILLING_TLS_CERTIFICATE_FILE", None, "PEM certificate chain; read again when it changes"
    )
    tls_private_key_file: ExistingFile | None = _setting("BILLING_TLS_PRIVATE_KEY_FILE", None, "PEM private key of it")
    tls_client_ca_file: ExistingFile | None = _setting(
        "BILLING_TLS_CLIENT_CA_FILE", None, "PEM authorities of client certificates, which are then required"
    )
    tls_callers: TlsCallers = _setting("BILLING_TLS_CALLERS", "", "What certificates may do: `name=read+deduct,other=webhook`")

    auth: Literal["keys", "off"] = _setting(
        "BILLING_AUTH", "keys", "`keys`: API keys or certificates; `off`: everybody may do everything, on loopback only"
    )
    api_key_pepper: StrongSecret | None = _setting(
        "BILLING_API_KEY_PEPPER", None, "Keys the hashes of API keys, 32 characters or more; the same on all processes"
    )
    page_token_secret: StrongSecret | None = _setting(
        "BILLING_PAGE_TOKEN_SECRET", None, "Signs page tokens, 32 characters or more; derived from the pepper when absent"
    )

    stripe_secret_key: StripeSecretKey | None = _setting(
        "STRIPE_SECRET_KEY", None, "Stripe's secret or restricted key; its prefix decides between test and live mode"
    )
    stripe_api_key: StripeSecretKey | None = _setting(
        "STRIPE_API_KEY", None, "Another name of `STRIPE_SECRET_KEY`, for deployments that use it"
    )
    stripe_webhook_secret: StripeWebhookSecret | None = _setting(
        "STRIPE_WEBHOOK_SECRET", None, "Signing secret of the webhook endpoint; several, separated by commas, while one is being rotated"
    )
    stripe_webhook_secret_credits: StripeWebhookSecret | None = _setting(
        "STRIPE_WEBHOOK_SECRET_CREDITS", None, "More signing secrets, for deployments that use this name"
    )
    stripe_api_base: Origin = _setting(
        "STRIPE_API_BASE", "https://api.stripe.com", "Where Stripe's API is; the sandbox's address without Stripe"
    )
    stripe_timeout_s: float = _setting("STRIPE_TIMEOUT_S", 10.0, "Time for one request to Stripe; a call may need two", gt=0, le=60)

    https_proxy: SecretStr | None = _setting(
        "HTTPS_PROXY", None, "Forward proxy to Stripe, `http://user:password@host:port`; also under its names `https_proxy` and `ALL_PROXY`"
    )
    no_proxy: str = _setting("NO_PROXY", "", "Hosts that are reached directly, separated by commas; loopback addresses always are")

    frontend_url: Origin = _setting(
        "FRONTEND_URL", "http://127.0.0.1:8080", "Where customers return to after checkout; the gateway has a page for those without"
    )
    checkout_success_path: UrlPath = _setting(
        "BILLING_CHECKOUT_SUCCESS_PATH", "/billing/success?session_id={CHECKOUT_SESSION_ID}", "Path after payment"
    )
    checkout_cancel_path: UrlPath = _setting("BILLING_CHECKOUT_CANCEL_PATH", "/billing/cancel", "Path after calling it off")
    catalog_file: ExistingFile | None = _setting(
        "BILLING_CATALOG_FILE", None, "Packages for sale and their currency; the built-in catalogue when absent"
    )
    amounts_currency: Currency = _setting(
        "BILLING_AMOUNTS_CURRENCY",
        "usd",
        "Currency of the amounts below; custom amounts and referrals are off where the catalogue's differs",
    )
    custom_amount_min_minor: int | None = _setting(
        "BILLING_CUSTOM_AMOUNT_MIN_MINOR", None, "Smallest custom purchase, in the currency's smallest unit; in usd 100 when absent", ge=1
    )
    custom_amount_max_minor: int | None = _setting(
        "BILLING_CUSTOM_AMOUNT_MAX_MINOR", None, "Largest custom purchase; in usd 1,000,000 when absent", ge=1, le=99_999_999
    )
    custom_amount_rate: int | None = _setting(
        "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR", None, "What one smallest unit buys; in usd 1,000,000 when absent", ge=1, le=10**9
    )

    allow_promotion_codes: bool = _setting(
        "BILLING_ALLOW_PROMOTION_CODES", False, "Let customers enter Stripe's promotion codes; the credits are those of the full price"
    )
    referral_bonus_credits: int = _setting(
        "BILLING_REFERRAL_BONUS_CREDITS", 1000, "Bonus of each of the two, in credits", ge=0, le=1_000_000
    )
    referral_purchase_min_minor: int | None = _setting(
        "BILLING_REFERRAL_PURCHASE_MIN_MINOR", None, "First purchase that earns the bonus; in usd 1,000 when absent", ge=0
    )
    referral_rewards_max: int = _setting("BILLING_REFERRAL_REWARDS_MAX", 0, "Bonuses that one referrer may earn; 0: no limit", ge=0)
    referral_vesting_delay_s: int = _setting("BILLING_REFERRAL_VESTING_DELAY_S", 0, "Time between purchase and bonus", ge=0, le=31_536_000)

    debt_max_credits: int = _setting(
        "BILLING_DEBT_MAX_CREDITS", 10_000, "What ALLOW_DEBT may bring an account's debt to, in credits", ge=0, le=1_000_000_000
    )
    reversal_window_s: int = _setting(
        "BILLING_REVERSAL_WINDOW_S", 604_800, "How long a caller may reverse its deductions; `admin` may always", ge=0, le=31_536_000
    )

    batch_operations_max: int = _setting("BILLING_BATCH_OPERATIONS_MAX", 512, "Ledger operations in one transaction", ge=1, le=4096)
    batch_gather_ms: float = _setting("BILLING_BATCH_GATHER_MS", 5.0, "Longest wait for more operations to join a transaction", ge=0, le=10)
    in_flight_max: int = _setting("BILLING_IN_FLIGHT_MAX", 1024, "Calls at a time; more are refused with OVERLOADED", ge=1, le=100_000)
    streams_per_connection_max: int = _setting(
        "BILLING_STREAMS_PER_CONNECTION_MAX",
        1000,
        "Calls at a time of one connection; a client that opens more gets UNAVAILABLE",
        ge=1,
        le=10_000,
    )
    deadline_default_s: float = _setting(
        "BILLING_DEADLINE_DEFAULT_S", 30.0, "Longest time of a call, also for one without a deadline", ge=1, le=300
    )
    drain_wait_s: float = _setting("BILLING_DRAIN_WAIT_S", 0.0, "Time between NOT_SERVING and the end of accepting calls", ge=0, le=60)
    grace_s: float = _setting("BILLING_GRACE_S", 10.0, "Time for calls in flight to finish at shutdown", ge=0, le=300)
    expiry_sweep_interval_s: float = _setting(
        "BILLING_EXPIRY_SWEEP_INTERVAL_S", 60.0, "Time between bookings of expired credits", ge=1, le=86_400
    )

    heads_directory: ExistingDirectory | None = _setting(
        "BILLING_HEADS_DIRECTORY", None, "Where the heads of all chains are exported to, for `billing verify --heads`; none when absent"
    )
    heads_interval_s: float = _setting("BILLING_HEADS_INTERVAL_S", 3600.0, "Time between exports of the heads", ge=1, le=86_400)
    verify_interval_s: float = _setting(
        "BILLING_VERIFY_INTERVAL_S", 3600.0, "Time between verifications of all balances, in the background; 0: none", ge=0, le=604_800
    )
    verify_freeze: bool = _setting("BILLING_VERIFY_FREEZE", True, "Freeze an account whose balance the ledger does not prove")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting(
        "BILLING_LOG_LEVEL", "INFO", "Least level that is logged; DEBUG has a line per deduction"
    )
    log_format: Literal["json", "console"] = _setting("BILLING_LOG_FORMAT", "json", "`json`: one object a line; `console`: for people")
    metrics_address: ListenAddress = _setting("BILLING_METRICS_ADDRESS", "", "Address of the Prometheus endpoint, `host:port`; empty: none")

    @property
    def stripe_livemode(self) -> bool:
        return self.stripe_secret_key is not None and is_live_key(self.stripe_secret_key.get_secret_value())

    @property
    def mode(self) -> Mode | None:
        """Whether the money is real, which a database remembers from its first start on. None: the settings name no Stripe."""
        if not is_stripes_own(self.stripe_api_base):
            return Mode.SANDBOX
        if self.stripe_secret_key is None:
            return None
        return Mode.LIVE if self.stripe_livemode else Mode.TEST

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """The secrets of both names, each once: for the verifier alone."""
        given = [each.get_secret_value() for each in (self.stripe_webhook_secret, self.stripe_webhook_secret_credits) if each]
        return tuple(dict.fromkeys(secret for text in given for secret in split_secrets(text)))

    @property
    def database(self) -> Database:
        """What DATABASE_URL says, with its password: for whoever connects."""
        return parse_database_url(self.database_url.get_secret_value())

    @property
    def stripe_proxy(self) -> str | None:
        """The forward proxy on the way to Stripe, with its password; None: a direct connection."""
        return proxy_to(self.stripe_api_base, self.https_proxy, self.no_proxy)

    @property
    def database_kind(self) -> Literal["sqlite", "postgresql"]:
        return "sqlite" if isinstance(self.database, SqliteFile) else "postgresql"

    @property
    def certificate_callers(self) -> dict[str, frozenset[Scope]]:
        """Scopes by the name in a client certificate."""
        pairs = (entry.split("=") for entry in self.tls_callers.split(",") if entry)
        return {name: frozenset(map(Scope, scopes.split("+"))) for name, scopes in pairs}

    @property
    def metrics_host_port(self) -> tuple[str, int] | None:
        return split_listen(self.metrics_address) if self.metrics_address else None

    @property
    def stated_amounts(self) -> StatedAmounts:
        """What the settings say of amounts of money, in their currency."""
        custom = (self.custom_amount_min_minor, self.custom_amount_max_minor, self.custom_amount_rate)
        return StatedAmounts(self.amounts_currency, *custom, self.referral_purchase_min_minor)

    @property
    def success_url(self) -> str:
        return self.frontend_url + self.checkout_success_path

    @property
    def cancel_url(self) -> str:
        return self.frontend_url + self.checkout_cancel_path

    @property
    def page_token_key(self) -> bytes:
        """Signs page tokens: the secret of its own, else one derived from the pepper."""
        assert self.page_token_secret is not None, "load_settings fills it in"
        return self.page_token_secret.get_secret_value().encode()

    def with_one_stripe_key(self) -> Self:
        """The key under its first name, whichever it was given under."""
        return self.model_copy(update={"stripe_secret_key": self.stripe_secret_key or self.stripe_api_key})

    def with_page_token_secret(self) -> Self:
        """Filled in where absent: from the pepper, else a random one, which one process with one file may use until it restarts."""
        if self.page_token_secret is not None:
            return self
        secret = secrets.token_hex(32) if self.api_key_pepper is None else derive_page_token_secret(self.api_key_pepper)
        return self.model_copy(update={"page_token_secret": SecretStr(secret)})


def load_settings(env: Mapping[str, str] | None = None, *, purpose: Purpose = "serve") -> Settings:
    """Settings from `env`; without it from the process's environment over `.env` in the working directory.

    Empty values count as absent. Raises SettingsInvalid.
    """
    given = {name: value for name, value in (process_environment() if env is None else env).items() if value.strip()}
    problems = unknown_settings(given, known_names())
    try:
        settings = Settings.model_validate(frontend_of_the_gateway(given) | given | under_one_name(given))
    except ValidationError as invalid:
        problems += [_line(error) for error in invalid.errors(include_url=False, include_input=False, include_context=False)]
        raise SettingsInvalid(problems + hints(given)) from None
    settings = settings.with_one_stripe_key()
    problems += contradictions(settings) + unusable_proxy(settings.stripe_proxy)
    if purpose == "serve":
        problems += missing_to_serve(settings)
    if problems:
        raise SettingsInvalid(problems + hints(given))
    return settings.with_page_token_secret()


def hints(env: Mapping[str, str] | None = None) -> list[str]:
    """One line for each name of `env` (else of the environment and `.env`) that looks like a setting and is not read."""
    found = unread_names(process_environment() if env is None else env, known_names())
    return [hint(name, meant) for name, meant in found.items() if not name.startswith(PREFIX)]


def known_names() -> list[str]:
    """The names of all settings, in the order of the table."""
    return [str(field.validation_alias) for field in Settings.model_fields.values()]


def _line(error: Mapping[str, Any]) -> str:
    return f"{error['loc'][0]}: {error['msg'].removeprefix('Value error, ')}"
