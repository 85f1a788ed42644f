"""Sandbox, service and gateway in one process: nothing is left behind when it ends, and one Ctrl-C ends it."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from billing_client import AsyncBillingClient, ClientOptions
from billing_client.options import ADDRESS_DEFAULT

from billing_service.bootstrap import RunningService, open_service
from billing_service.cli.dev_settings import SANDBOX_DATABASE_URL, Ports, filled_in, needs_sandbox
from billing_service.cli.failures import AlreadyRunningError, CannotListenError
from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope, key_id_of
from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from billing_service.settings import Settings, load_settings
from billing_service.storage.database_url import DatabaseUrlInvalid, SqliteFile, parse_database_url
from billing_service.storage.rows.access import revoke_key
from billing_service.storage.sqlite.file_lock import DatabaseInUseError, FileLock
from webhook_gateway.config import PATHS_DEFAULT, GatewayConfig
from webhook_gateway.run import serve_gateway

LOOPBACK = "127.0.0.1"
HEALTHY_WITHIN_S = 20.0
HEALTH_INTERVAL_S = 0.05
SETTLEMENT_DELAY_S = 3.0


@dataclass(frozen=True, slots=True)
class DevStack:
    """Everything, answering."""

    settings: Settings
    service: RunningService
    sandbox_url: str | None
    gateway_url: str
    client: ClientOptions
    """Reaches the service with every right."""


@asynccontextmanager
async def open_dev_stack(given: Mapping[str, str], ports: Ports, program: str = "billing") -> AsyncIterator[DevStack]:
    """Runs everything until the block ends. `program`: how the `billing` command is called, for what the page after
    paying says.

    Raises SettingsInvalid, AlreadyRunningError, CannotListenError, and what `open_service` raises.
    """
    async with AsyncExitStack() as running:
        sandbox_url = None
        plays = needs_sandbox(given)
        kept = str(Settings.model_fields["database_url"].default.get_secret_value())
        _refuse_a_second(given.get("DATABASE_URL", SANDBOX_DATABASE_URL if plays else kept))
        if plays:
            with _listening("the sandbox", ports.sandbox, "SANDBOX_PORT"):
                sandbox_url = await running.enter_async_context(
                    serve_sandbox(SandboxConfig(settlement_delay_s=SETTLEMENT_DELAY_S), LOOPBACK, ports.sandbox)
                )
        with _listening("the gateway", ports.gateway, "GATEWAY_PORT"):
            listener = running.enter_context(socket.create_server((LOOPBACK, ports.gateway)))
        gateway_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        settings = load_settings(filled_in(given, sandbox_url, gateway_url))
        if settings.database_url.get_secret_value() == SANDBOX_DATABASE_URL and isinstance(
            settings.database, SqliteFile
        ):
            _forget(settings.database.path)
        service = await running.enter_async_context(open_service(settings))
        admin, webhook = [
            await running.enter_async_context(_key(service, settings, scope)) for scope in (Scope.ADMIN, Scope.WEBHOOK)
        ]
        client = ClientOptions(address=service.address, api_key=admin, ca_file=settings.tls_certificate_file)
        billing = command(program, client)
        config = GatewayConfig(
            secrets=settings.stripe_webhook_secrets,
            billing=replace(client, api_key=webhook),
            next_commands=(f"{billing} purchases show {{session_id}}", f"{billing} balance ACCOUNT"),
        )
        await running.enter_async_context(serve_gateway(config, listener=listener))
        if sandbox_url is not None:
            await _send_events(sandbox_url, gateway_url, settings)
        await _until_healthy(client)
        yield DevStack(settings, service, sandbox_url, gateway_url, client)


def command(program: str, client: ClientOptions) -> str:
    """How the `billing` command is called so that it reaches this service."""
    prefix = "" if client.address == ADDRESS_DEFAULT else f"BILLING_ADDRESS={client.address} "
    key = "BILLING_API_KEY=… " if client.api_key else ""
    return f"{prefix}{key}{program}"


def _refuse_a_second(database_url: str) -> None:
    """Before ports are asked for: of two that share ports and database, the database says that it is the same one
    again."""
    try:
        database = parse_database_url(database_url)
    except DatabaseUrlInvalid:
        return  # the settings say so, by its name
    if not isinstance(database, SqliteFile) or not database.path.with_name(database.path.name + ".lock").exists():
        return
    try:
        FileLock(database.path).release()
    except DatabaseInUseError as used:
        raise AlreadyRunningError(str(database.path)) from used


def _forget(path: Path) -> None:
    """Removes the throw-away database: its customers and payments are unknown to a sandbox that has just begun. Raises
    DatabaseInUseError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    finally:
        lock.release()


@contextmanager
def _listening(who: str, port: int, setting: str) -> Iterator[None]:
    try:
        yield
    except OSError as taken:
        raise CannotListenError(who, f"{LOOPBACK}:{port}", setting) from taken


@asynccontextmanager
async def _key(service: RunningService, settings: Settings, scope: Scope) -> AsyncIterator[str | None]:
    """A key for as long as this process runs; none where none is asked for."""
    if settings.auth == "off":
        yield None
        return
    store, pepper = service.environment.store, service.environment.api_key_pepper
    # A name of its own each time: after a crash the old key would count against the two that a caller may have.
    caller = f"dev-{scope}-{secrets.token_hex(4)}"
    secret = await create_key_directly(store, system_clock_us, pepper, caller, [scope])
    key_id = key_id_of(secret)
    assert key_id is not None
    try:
        yield secret
    finally:
        await store.write(lambda: revoke_key(key_id, system_clock_us()))


async def _send_events(sandbox_url: str, gateway_url: str, settings: Settings) -> None:
    endpoint = {"url": gateway_url + PATHS_DEFAULT[0], "secret": settings.stripe_webhook_secrets[0]}
    async with httpx.AsyncClient(trust_env=False) as http:  # no proxy reaches this machine
        (await http.post(f"{sandbox_url}/_sandbox/webhooks/endpoints", json=endpoint)).raise_for_status()


async def _until_healthy(options: ClientOptions) -> None:
    async with asyncio.timeout(HEALTHY_WITHIN_S), AsyncBillingClient.from_options(options) as client:
        while not await client.is_serving():  # noqa: ASYNC110 - asked as any other client asks
            await asyncio.sleep(HEALTH_INTERVAL_S)
