"""`billing keys …`: who may call, and for what."""

import asyncio
import re
from datetime import datetime
from typing import Annotated

import typer
from billing_client import BillingClient
from billing_client import Scope as WireScope
from prepaid.billing.v1.api_keys_pb2 import ApiKey as KeyRecord
from prepaid.billing.v1.api_keys_pb2 import CreateApiKeyResponse

from billing_service.cli.connection import Address, ApiKey, AsJson, IdempotencyKey, calls_service, connected
from billing_service.cli.database import confirm_free, offline_settings
from billing_service.cli.display import EXIT_MISCONFIGURED, console, fail, plain, show_fields, show_json, shown_enum
from billing_service.cli.failures import explained
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.times import read_future, shown_time
from billing_service.domain.access.api_keys import Scope, key_id_of

keys = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)

KEYS = ListTable(
    Column("key"),
    Column("caller"),
    Column("created"),
    Column("last used", gives_way=True),
    Column("expires", gives_way=True),
    Column("revoked", gives_way=True),
    Column("scopes", gives_way=True),
    Column("accounts", gives_way=True),
    Column("spenders", gives_way=True),
)

_CALLER = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
"""As the service's own check of CreateApiKey, which a key made without it must pass too."""


def _read_scope(word: str) -> Scope:
    try:
        return Scope(word)
    except ValueError:
        raise typer.BadParameter(f"{word!r} is none of {', '.join(Scope)}") from None


@keys.command("create")
def create_key(
    *,
    caller: Annotated[str, typer.Argument(help="Name of the calling service; stays the same when its key is rotated.")],
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope", parser=_read_scope, metavar="SCOPE", help=f"What it may do, once or more: {', '.join(Scope)}."
        ),
    ],
    expires: Annotated[
        datetime | None, typer.Option(parser=read_future, metavar="TIME", help="2026-12-31, or in 90d.")
    ] = None,
    accounts: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="ACCOUNT", help="Bind the key to this account; once or more, at most 100."),
    ] = None,
    spenders: Annotated[
        list[str] | None,
        typer.Option("--spender", metavar="SPENDER", help="Count its charges for this spender too; at most 4."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Write to the database without the service: for the very first key.")
    ] = False,
    address: Address = None,
    api_key: ApiKey = None,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key, and show its secret this once."""
    if not _CALLER.fullmatch(caller):
        fail("CALLER: must be 1 to 64 characters of a-z, 0-9, '-', '_', '.'", code=EXIT_MISCONFIGURED)
    if offline:
        if expires is not None or accounts or spenders:
            fail("--expires, --account and --spender: need the running service", code=EXIT_MISCONFIGURED)
        secret = _create_offline(caller, scopes)
        key = KeyRecord(key_id=key_id_of(secret) or "", caller=caller, scopes=_wire_scopes(scopes))
        _show_secret(CreateApiKeyResponse(api_key=key, secret=secret), as_json=as_json)
        return
    with connected(address, api_key) as client:
        made = client.create_api_key(
            caller=caller,
            scopes=_wire_scopes(scopes),
            expire_time=expires,
            account_ids=accounts or [],
            spender_ids=spenders or [],
            idempotency_key=idempotency_key,
        )
        if made.replayed:
            fail(f"this call made key {made.api_key.key_id} before; its secret was shown then and is kept nowhere")
        _show_secret(made, as_json=as_json)


def _create_offline(caller: str, scopes: list[str]) -> str:
    confirm_free("; leave --offline out while the service runs")
    from billing_service.bootstrap import open_store
    from billing_service.clock import system_clock_us
    from billing_service.commands.access.api_keys import create_key_directly
    from billing_service.settings import Settings, SettingsInvalid

    async def create(settings: Settings, pepper: bytes) -> str:
        store = await open_store(settings)
        try:
            return await create_key_directly(store, system_clock_us, pepper, caller, [Scope(scope) for scope in scopes])
        finally:
            await store.close()

    with explained("; leave --offline out while the service runs"):
        settings = offline_settings()
        if settings.api_key_pepper is None:
            raise SettingsInvalid(["BILLING_API_KEY_PEPPER: is required, the same as the service's"])
        return asyncio.run(create(settings, settings.api_key_pepper.get_secret_value().encode()))


@keys.command("list")
@calls_service
def list_keys(client: BillingClient, *, limit: Limit = None, everything: All = False, as_json: AsJson = False) -> None:
    """All API keys, newest first, without their secrets."""
    found = iter(client.list_api_keys().api_keys)
    show_list("API keys", KEYS, found, _cells, extent=Extent(limit, everything), as_json=as_json)


def _cells(key: KeyRecord) -> tuple[object, ...]:
    return (
        key.key_id,
        key.caller,
        shown_time(key.create_time),
        shown_time(key.last_use_time),
        shown_time(key.expire_time),
        shown_time(key.revoke_time),
        _scopes(key),
        " ".join(key.account_ids),
        " ".join(key.spender_ids),
    )


@keys.command("revoke")
@calls_service
def revoke_key(
    client: BillingClient,
    *,
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id.")],
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """End an API key, in every process within 10 seconds."""
    done = client.revoke_api_key(key_id=key_id, idempotency_key=idempotency_key)
    if as_json:
        show_json(done)
        return
    key = done.api_key
    show_fields(
        f"API key {key.key_id}",
        [("caller", key.caller), ("scopes", _scopes(key)), ("revoked", shown_time(key.revoke_time))],
    )


def _scopes(key: KeyRecord) -> str:
    return " ".join(shown_enum(WireScope, scope) for scope in key.scopes)


def _wire_scopes(scopes: list[str]) -> list[WireScope.ValueType]:
    return [WireScope.Value(f"SCOPE_{scope.upper()}") for scope in scopes]


def _show_secret(made: CreateApiKeyResponse, *, as_json: bool) -> None:
    """Prints the secret alone on standard output, so that a script can take it. Words go to standard error."""
    if as_json:
        show_json(made)
        return
    typer.echo(
        f"API key of {made.api_key.caller} ({_scopes(made.api_key)}). This is the only time that it is shown:", err=True
    )
    console().print(plain(made.secret), soft_wrap=True)
