"""Puts the service together. The only module that knows concrete classes."""

import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from billing_service.api.identity import Authenticator, CallerAuthenticator, LocalAuthenticator
from billing_service.api.metrics import MetricsServer
from billing_service.api.server import RunningServer, ServerLimits, start_server
from billing_service.api.services import services_of
from billing_service.api.tls import TlsFiles
from billing_service.catalogs import DEFAULT, load_catalog
from billing_service.clock import TimeOrderedIds, system_clock_us
from billing_service.commands.access.api_keys import find_api_key
from billing_service.commands.access.deployment import ensure_deployment, new_deployment
from billing_service.commands.catalogue.rate_cards import ensure_rate_card
from billing_service.commands.environment import Environment, Gathering, PurchaseTerms
from billing_service.domain.deployment import Deployment
from billing_service.domain.ledger.amounts import MICROCREDITS_PER_CREDIT
from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.domain.spending.outcome_policies import parse_policies
from billing_service.domain.spending.windows import Windows
from billing_service.domain.times import US_PER_S
from billing_service.feed.head import FeedHead
from billing_service.jobs.key_uses import KeyUses
from billing_service.jobs.start import start_jobs
from billing_service.metrics import service_registry
from billing_service.payments.ports.provider import PaymentProvider
from billing_service.payments.stripe.provider import StripeProvider
from billing_service.rate_cards import built_in_card
from billing_service.reconcile.pace import Pace
from billing_service.settings import Settings
from billing_service.settings.values import zone_of
from billing_service.storage.database_url import SqliteFile
from billing_service.storage.migrate import check_schema, migrate
from billing_service.storage.postgres.store import open_postgres
from billing_service.storage.sqlite import versions as sqlite_versions
from billing_service.storage.sqlite.connections import open_sqlite
from billing_service.storage.store import Store
from billing_service.version import program_version

log = structlog.get_logger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""The event loop and SQLite's thread share one interpreter: handing over ten times as often as by default gave +15 %
throughput."""
CHECKOUT_LIFETIME_US = 23 * 3_600 * US_PER_S
"""Stripe allows 24 hours from its own clock; an hour is left for the difference and for a resumed call."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """The service, answering."""

    address: str
    environment: Environment
    server: RunningServer
    metrics_port: int | None = None


async def open_store(settings: Settings, *, writes: bool = True) -> Store:
    """Opens the database, migrated where settings say so. Without `writes`, a role of PostgreSQL that may only read
    will do. Raises SchemaOutdatedError, MigrationBusyError, DatabaseInUseError, CannotConnectError, Failure."""
    database = settings.database

    async def prepare() -> None:
        if settings.migrate_on_start:
            await migrate(database, file_is_kept=True)
        await check_schema(database)

    if not isinstance(database, SqliteFile):
        if database.weakness is not None:
            log.warning("database_url_is_weak", weakness=database.weakness)
        await prepare()
        return await open_postgres(database, writes=writes)
    path = database.path
    if settings.migrate_on_start:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        raise FileNotFoundError(f"there is no database at {path}: run `billing migrate`")
    return await open_sqlite(path, before=prepare)


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[RunningService]:
    """Runs the service until the block ends; then drains, and closes in the order in which things depend on each
    other."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    async with AsyncExitStack() as closing:
        store = await open_store(settings)
        closing.push_async_callback(store.close)
        deployment, stripe = await _deployment(settings, store), _stripe(settings)
        closing.push_async_callback(stripe.close)
        environment = _environment(settings, store, deployment, stripe)
        await ensure_rate_card(store, system_clock_us, environment.ids, built_in_card)
        _tell_what_is_off(settings, environment)
        closing.push_async_callback(environment.writer.close)
        closing.push_async_callback(environment.balances.close)
        closing.push_async_callback(environment.ticks.close)
        uses, head = KeyUses(store), FeedHead()
        database_file = settings.database.path if isinstance(settings.database, SqliteFile) else None
        registry = service_registry(environment, stripe.calls, database_file)
        pace = Pace(settings.reconcile_requests_per_s)
        registry.register(start_jobs(settings, environment, closing, uses=uses, head=head, pace=pace))
        server = await start_server(
            settings.listen,
            services_of(environment, settings.page_token_key, head, pace),
            authenticator=_authenticator(settings, store, uses.note),
            probe=store.probe,
            registry=registry,
            log=structlog.get_logger("billing_service.api"),
            limits=_limits(settings),
            tls=_tls(settings),
            reflection=settings.reflection,
            log_hot_calls=settings.log_level == "DEBUG",
        )
        closing.push_async_callback(server.stop)
        metrics_port = None
        if settings.metrics_host_port is not None:
            metrics = MetricsServer(registry, *settings.metrics_host_port)
            closing.callback(metrics.close)
            metrics_port = metrics.port
        address = f"{settings.listen.rpartition(':')[0]}:{server.port}"
        _tell_what_serves(address, environment)
        yield RunningService(address, environment, server, metrics_port)
        log.info("draining")


def _tell_what_serves(address: str, environment: Environment) -> None:
    if environment.store.name == "sqlite":
        sqlite_versions.say_guard(sqlite3.sqlite_version_info)
    deployment = environment.deployment
    log.info(
        "serving",
        address=address,
        version=program_version(),
        database=environment.store.name,
        mode=deployment.mode.value,
        deployment_id=deployment.deployment_id,
    )


async def _deployment(settings: Settings, store: Store) -> Deployment:
    assert settings.mode is not None, "serving needs a key"
    return await ensure_deployment(store, new_deployment(settings.mode, system_clock_us, TimeOrderedIds(), os.urandom))


def _stripe(settings: Settings) -> StripeProvider:
    key = settings.stripe_secret_key
    return StripeProvider(
        key.get_secret_value() if key else "",
        api_base=settings.stripe_api_base,
        attempt_timeout_s=settings.stripe_timeout_s,
        call_timeout_s=settings.stripe_timeout_s * 2,
        proxy=settings.stripe_proxy,
    )


def _environment(settings: Settings, store: Store, deployment: Deployment, provider: PaymentProvider) -> Environment:
    catalog = load_catalog(settings.catalog_file or DEFAULT)
    spending = SpendingTerms(
        debt_max=settings.debt_max_credits * MICROCREDITS_PER_CREDIT,
        reversal_window_us=settings.reversal_window_s * US_PER_S,
        usage_age_max_us=settings.usage_age_max_s * US_PER_S,
        returned_lifetime_us=settings.returned_credits_lifetime_s * US_PER_S,
        late_capture_us=settings.late_capture_s * US_PER_S,
        windows=Windows(zone_of(settings.time_zone)),
    )
    return Environment(
        store=store,
        clock_us=system_clock_us,
        ids=TimeOrderedIds(),
        gathering=Gathering(settings.batch_operations_max, settings.batch_gather_ms / 1_000),
        customers=provider,
        checkouts=provider,
        payments=provider,
        refunds=provider,
        listings=provider,
        deployment=deployment,
        catalog=catalog,
        terms=PurchaseTerms(
            custom_amounts=settings.stated_amounts.custom_amounts(catalog.currency),
            success_url=settings.success_url,
            cancel_url=settings.cancel_url,
            checkout_lifetime_us=CHECKOUT_LIFETIME_US,
            allow_promotion_codes=settings.allow_promotion_codes,
            livemode=settings.stripe_livemode,
        ),
        referrals=ReferralPolicy(
            bonus_microcredits=settings.referral_bonus_credits * MICROCREDITS_PER_CREDIT,
            minimum_purchase_minor=settings.stated_amounts.referral_minimum(catalog.currency),
            rewarded_max=settings.referral_rewards_max or None,
            vesting_delay_us=settings.referral_vesting_delay_s * US_PER_S,
        ),
        webhook_secrets=settings.stripe_webhook_secrets,
        api_key_pepper=_pepper(settings),
        spending=spending,
        outcome_policies=parse_policies(settings.outcome_policies),
    )


def _tell_what_is_off(settings: Settings, environment: Environment) -> None:
    """Where the catalogue's currency has no amounts stated in it."""
    currencies = {"currency": environment.catalog.currency, "amounts_currency": settings.amounts_currency}
    if environment.terms.custom_amounts is None:
        log.warning("custom_amounts_off", **currencies)
    if environment.referrals.minimum_purchase_minor is None:
        log.warning("referrals_off", **currencies)


def _pepper(settings: Settings) -> bytes:
    return settings.api_key_pepper.get_secret_value().encode() if settings.api_key_pepper else b""


def _authenticator(settings: Settings, store: Store, note_use: Callable[[str, int], None]) -> Authenticator:
    if settings.auth == "off":
        return LocalAuthenticator()
    return CallerAuthenticator(
        pepper=_pepper(settings),
        find_api_key=partial(find_api_key, store),
        note_use=note_use,
        now_us=system_clock_us,
        certificate_callers=settings.certificate_callers,
    )


def _limits(settings: Settings) -> ServerLimits:
    return ServerLimits(
        in_flight_max=settings.in_flight_max,
        streams_per_connection_max=settings.streams_per_connection_max,
        deadline_default_s=settings.deadline_default_s,
        grace_s=settings.grace_s,
        drain_wait_s=settings.drain_wait_s,
    )


def _tls(settings: Settings) -> TlsFiles | None:
    if settings.tls_certificate_file is None or settings.tls_private_key_file is None:
        return None
    return TlsFiles(settings.tls_certificate_file, settings.tls_private_key_file, settings.tls_client_ca_file)
