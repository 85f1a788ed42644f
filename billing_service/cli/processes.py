"""`billing gateway`, `sandbox`, `migrate`, `health`: one process each."""

import asyncio
import errno
import socket
from functools import partial
from typing import TYPE_CHECKING

import typer

from billing_service.cli.connection import Address, ApiKey, AsJson, client_options
from billing_service.cli.database import offline_settings
from billing_service.cli.display import EXIT_FAILED, fail, say, show_json
from billing_service.cli.failures import explained

if TYPE_CHECKING:
    from billing_client import BillingClient


def gateway() -> None:
    """Run the webhook gateway: checks Stripe's signatures, forwards events to the service."""
    from webhook_gateway.__main__ import main

    try:
        code = main()
    except OSError as failure:
        if not isinstance(failure, socket.gaierror) and failure.errno not in (
            errno.EADDRINUSE,
            errno.EADDRNOTAVAIL,
            errno.EACCES,
        ):
            raise
        fail(
            f"the gateway can't listen: {failure.strerror}; choose another address by GATEWAY_HOST, GATEWAY_PORT or "
            f"GATEWAY_METRICS_PORT"
        )
    raise typer.Exit(code)


def sandbox(context: typer.Context) -> None:
    """Run the stand-in for Stripe alone; `billing sandbox --help` shows its options."""
    from billing_service.sandbox.run import main

    raise typer.Exit(main(context.args))


def migrate(as_json: AsJson = False) -> None:
    """Bring the database to the newest schema. Safe to repeat, and while other processes migrate too.

    Processes that run on PostgreSQL go on meanwhile; SQLite's one must stop first.
    """
    from billing_service.storage.migrate import check_schema
    from billing_service.storage.migrate import migrate as apply_migrations

    async def bring() -> None:
        await apply_migrations(settings.database, report=partial(typer.echo, err=True))
        await check_schema(settings.database)

    with explained("; stop it, migrate, and start it again"):
        settings = offline_settings()
        asyncio.run(bring())
    if as_json:
        show_json({"database": settings.database_kind, "schema_is_newest": True})
    else:
        say(f"the {settings.database_kind} database has the newest schema")


def health(as_json: AsJson = False, address: Address = None, api_key: ApiKey = None) -> None:
    """Ask the service whether it can do its work. Exit code 0 only when it says so."""
    from billing_client import BillingClient

    options = client_options(address, api_key)
    where = options.address + (f" through proxy {options.proxy}" if options.proxy else "")
    with BillingClient.from_options(options) as client:
        serving = client.is_serving()
        unreachable = "" if serving else _unreachable(client)
    if as_json:
        show_json({"address": options.address, "serving": serving})
        raise typer.Exit(0 if serving else EXIT_FAILED)
    if not serving:
        fail(f"NOT SERVING: {unreachable or where}")
    say(f"SERVING: {where}")


def _unreachable(client: "BillingClient") -> str:
    """Why nobody answers; empty where somebody does."""
    from billing_client.errors import BillingError, ServiceUnreachable
    from billing_client.health import HEALTH_TIMEOUT_S

    try:
        client.list_packages(timeout_s=HEALTH_TIMEOUT_S)
    except ServiceUnreachable as error:
        return error.message
    except BillingError:
        return ""
    return ""
