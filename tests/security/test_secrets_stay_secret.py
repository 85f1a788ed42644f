"""Secrets of every kind through a whole story at DEBUG: in no log, metric, error or row."""

import dataclasses
import io
import logging
import re

import grpc
import pytest
import structlog
from aiohttp import web
from billing_client.options import ClientOptions
from pydantic import SecretStr

from billing_service.bootstrap import open_service
from billing_service.logs import configure_logs
from billing_service.settings import Settings, load_settings
from tests.security.every_rpc import METHODS, call, valid_request
from tests.security.secret_canaries import (
    DATABASE_PASSWORD,
    OLD_WEBHOOK_SECRET,
    SETTINGS,
    deliver,
    deliver_signed,
    first_key,
    found,
    metrics,
    running_product,
    secret_parts,
    settings_with_canaries,
    stored,
    with_password,
)
from tests.support.service_process import StartFailedError, running_process, service_settings
from tests.support.stack import PEPPER, STRIPE_KEY, WEBHOOK_SECRET
from webhook_gateway.config import GatewayConfig
from webhook_gateway.settings import GatewaySettings

BODY = "canary-in-a-body"


async def tell_the_story(stack, channel, key):
    """Everything that ordinary callers do, then everything refused; answers what the refused were told, and another
    key's text."""
    bought = await stack.buy("buyer")
    await stack.client.deduct_credits(account_id="buyer", amount_microcredits=1_000_000)
    await stack.client.refund(purchase_id=bought.purchase_id)
    await stack.webhooks()
    other = (await stack.client.create_api_key(caller="metering", scopes=[1])).secret
    await stack.control("faults", {"kind": "error", "count": 5, "path_prefix": "/v1/checkout"})
    told = []
    for sent in (key, other, other[:-1] + "a", "hunter2", ""):
        for name in METHODS:
            told.append((await call(channel, name, valid_request(name), key=sent)).everything)
            told.append((await call(channel, name, sent.encode() + b"\xff", key=sent)).everything)
    headers = ("", f"t=1,v1={WEBHOOK_SECRET}", WEBHOOK_SECRET, OLD_WEBHOOK_SECRET)
    told.extend([await deliver(stack, b"{}", header) for header in headers])
    return "\n".join(told), other


def test_every_secret_has_a_canary():
    """A new one needs its own."""
    secret = {
        str(field.validation_alias) for field in Settings.model_fields.values() if "SecretStr" in repr(field.annotation)
    }
    assert secret == set(SETTINGS)
    of_gateway = {name for name, field in GatewaySettings.model_fields.items() if "SecretStr" in repr(field.annotation)}
    assert of_gateway == {"stripe_webhook_secret", "stripe_webhook_secret_credits", "billing_api_key"}
    hidden = {
        kind: {field.name for field in dataclasses.fields(kind) if not field.repr}
        for kind in (GatewayConfig, ClientOptions)
    }
    assert hidden == {GatewayConfig: {"secrets"}, ClientOptions: {"api_key", "headers"}}


async def test_no_secret_is_logged_shown_told_or_stored(database, forker, processes, tmp_path, capfd):
    async with running_product(database, forker, processes, tmp_path / "service.log") as product:
        stack, key = product.stack, product.key
        told, other = await tell_the_story(stack, product.channel, key)
        event = {"type": "plan.created", "data": {"object": {"id": "plan_1", "note": BODY}}}
        signed = [await deliver_signed(stack, event, secret) for secret in (WEBHOOK_SECRET, OLD_WEBHOOK_SECRET)]
        told += "".join(said for said, _ in signed) + repr(
            (product.options, stack.client, load_settings(stack.service.settings))
        )
        shown = await metrics(*product.metrics_ports)
        while_running = stored(database)
        assert await stack.service.stop() == 0
        logged = product.logged() + "".join(capfd.readouterr())
    assert all(said.startswith("200") for said, _ in signed), signed
    assert re.search(r'"level": ?"debug"|\[debug', logged), "nothing was logged at DEBUG"
    assert found([BODY], while_running), "an event's body is kept"
    secrets = [*secret_parts(key, other), *(digest for _, digest in signed)]
    places = {"log": logged, "metrics": shown, "errors": told}
    for place, text in {**places, "database": while_running, "database at rest": stored(database)}.items():
        assert len(text) > 1000, place
        assert not found(secrets, text), place
    assert not [place for place, text in places.items() if BODY in text]


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_no_traceback_shows_a_secret(database, monkeypatch, log_format):
    """A defect in the midst of a call: its traceback passes through frames that hold keys, peppers and settings."""
    key, stream = await first_key(database), io.TextIOWrapper(io.BytesIO(), write_through=True)
    options = {"BILLING_AUTH": "keys", "BILLING_LOG_LEVEL": "DEBUG", "BILLING_LOG_FORMAT": log_format}
    settings = load_settings(settings_with_canaries(database, service_settings(database, **options)))
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    configure_logs(settings, stream)
    try:
        async with open_service(settings) as service, grpc.aio.insecure_channel(service.address) as channel:

            def break_down(*_args, **_options):
                raise RuntimeError(
                    f"{DATABASE_PASSWORD[:6]} {key} {STRIPE_KEY} {WEBHOOK_SECRET} {with_password('postgresql://h/d')}"
                )

            store = service.environment.store
            monkeypatch.setattr(store, "_execute" if store.name == "sqlite" else "_drive", break_down)
            told = [(await call(channel, name, valid_request(name), key=key)).everything for name in METHODS]
    finally:
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level
    logged = stream.buffer.getvalue().decode()
    assert logged.count("Traceback") > 1
    assert not found(secret_parts(key), logged)
    assert not found(secret_parts(key), "".join(told))


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (402, "card_error"), (500, "api_error")],
)
async def test_a_provider_that_repeats_its_key(database, forker, tmp_path, status, kind):
    """Stripe shows the end of a key in some errors; whatever it repeats goes no further."""

    async def repeat_the_key(request):
        error = {
            "type": kind,
            "code": "odd",
            "message": f"this key is odd: {request.headers['authorization']}",
            "param": STRIPE_KEY,
        }
        return web.json_response({"error": error}, status=status, headers={"request-id": "req_1"})

    app, log = web.Application(), tmp_path / "service.log"
    app.router.add_route("*", "/{path:.*}", repeat_the_key)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        address = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        settings = settings_with_canaries(database, service_settings(database, address, BILLING_LOG_LEVEL="DEBUG"))
        async with (
            running_process(forker, settings, log) as service,
            grpc.aio.insecure_channel(service.address) as channel,
        ):
            seen = await call(channel, "CreatePurchase", valid_request("CreatePurchase"), timeout_s=20)
            assert seen.code is not grpc.StatusCode.OK
            assert await service.stop() == 0
    finally:
        await runner.cleanup()
    assert ("this key is odd" in log.read_text()) is (seen.reason == "STRIPE_REFUSED"), (
        "operators see why, without the key"
    )
    for text in (seen.everything, log.read_text(), stored(database)):
        assert not found(secret_parts(), text)


def test_secrets_print_as_asterisks():
    settings = Settings.model_validate({name: value for name, value in SETTINGS.items() if name != "DATABASE_URL"})
    gateway = GatewayConfig(secrets=(WEBHOOK_SECRET,), billing=ClientOptions(api_key="bill_secret"))
    shown = (
        f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()} {gateway!r} {SecretStr(PEPPER)}"
    )
    assert not found([*secret_parts(), "bill_secret"], shown)
    assert "***" in shown


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.parametrize("host", ["127.0.0.1:9", "nowhere.invalid:5432", "%2Fnowhere:5432"])
async def test_a_database_that_is_not_there_is_told_without_its_password(database, forker, tmp_path, host):
    url, log = f"postgresql://user:{DATABASE_PASSWORD}@{host}/billing", tmp_path / "service.log"
    with pytest.raises(StartFailedError) as failed:
        async with running_process(forker, {**service_settings(database), "DATABASE_URL": url}, log):
            pass
    assert DATABASE_PASSWORD not in str(failed.value) + log.read_text()
