"""The docstrings of the public methods: whole, about things that exist, and with examples that run against the real
product."""

import ast
import asyncio
import builtins
import contextlib
import gzip
import hashlib
import hmac
import inspect
import io
import json
import re
import textwrap
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import billing_client
import pytest
from billing_client import AsyncBillingClient, BillingClient, errors
from billing_client.asynchronous.deduction_stream import DeductionStream as AsyncDeductionStream
from billing_client.blocking.deduction_stream import DeductionStream

from tests.support.rate_card_examples import card_file
from tests.support.stack import WEBHOOK_SECRET, running_stack

CLIENTS = {"blocking": BillingClient, "asyncio": AsyncBillingClient}
SHARED = {"self", "account_id", "idempotency_key", "timeout_s", "headers", "page_size", "page_token"}
"""Parameters that the client's own docstring describes for all methods."""
METHODS = [
    pytest.param(kind, name, id=f"{kind}-{name}")
    for kind, client in CLIENTS.items()
    for name, method in inspect.getmembers(client)
    if callable(method) and not name.startswith("_")
]
KNOWN = {name for module in (errors, builtins) for name in dir(module)}


def example_of(kind, name):
    """The indented block of a docstring that is Python."""
    documented = inspect.getdoc(getattr(CLIENTS[kind], name))
    blocks = re.findall(r"(?:^    .*\n?)+", documented + "\n", re.MULTILINE)
    assert len(blocks) == 1, f"{name}: one example is wanted, {len(blocks)} are there"
    return textwrap.dedent(blocks[0])


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_each_parameter_and_each_error_is_named_and_exists(kind, name):
    method = getattr(CLIENTS[kind], name)
    documented = inspect.getdoc(method)
    parameters = set(inspect.signature(method).parameters) - SHARED
    assert {parameter for parameter in parameters if f"`{parameter}`" not in documented} == set()
    raised = re.findall(r"^Raises (.*?)(?:\n\n|\Z)", documented, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"\b[A-Z][a-z]+[A-Z]\w+", " ".join(raised)))
    assert named <= KNOWN
    if name in {"deduct_credits", "refund", "create_purchase"}:
        assert len(named) >= 3, "money moves: the errors are named"


@pytest.mark.parametrize("kind", CLIENTS)
def test_what_all_methods_share_is_described_once(kind):
    documented = inspect.getdoc(CLIENTS[kind])
    assert {name for name in SHARED - {"self"} if f"`{name}`" not in documented} == set()


def test_both_clients_say_the_same():
    for name in dir(BillingClient):
        if not name.startswith("_"):
            blocking, awaited = (
                inspect.getdoc(getattr(BillingClient, name)),
                inspect.getdoc(getattr(AsyncBillingClient, name)),
            )
            plain = [
                re.sub(r"\b(await|async) |Async|\(|\)|blocking|asyncio", "", text.partition("\n\n    ")[0])
                for text in (blocking, awaited)
            ]
            differing = name in {"close", "stream_deductions"}  # their lifetimes differ
            assert differing or plain[0] == plain[1], name


@pytest.mark.parametrize("stream", [DeductionStream, AsyncDeductionStream])
def test_streams_are_documented(stream):
    for name in ("send", "close", "abandon", "outstanding"):
        assert inspect.getdoc(getattr(stream, name)), name


def signed_event():
    payload = json.dumps(
        {"id": "evt_example", "object": "event", "type": "plan.created", "created": int(time.time()), "livemode": False}
    ).encode()
    now = int(time.time())
    return (
        payload,
        f"t={now},v1={hmac.new(WEBHOOK_SECRET.encode(), b'%d.' % now + payload, hashlib.sha256).hexdigest()}",
    )


async def prepared(stack):
    """What examples name without making it."""
    client = stack.client
    granted = await client.grant_credits(account_id="user-1", amount_microcredits=100_000_000, reason="test")
    assert granted.lot_id
    paid = await stack.buy("user-1")
    refunded = await client.refund(purchase_id=paid.purchase_id, amount_minor=50)
    opened = await client.create_purchase(account_id="user-1", package_code="starter")
    await client.create_account(account_id="user-2")
    key = await client.create_api_key(caller="reports", scopes=[billing_client.Scope.SCOPE_READ])
    events = await client.list_stripe_events()
    payload, signature = signed_event()
    return {
        "paid_purchase_id": paid.purchase_id,
        "open_purchase_id": opened.purchase.purchase_id,
        "checkout_session_id": paid.checkout_session_id,
        "refund_id": refunded.refund.refund_id,
        "referral_code": (await client.get_account(account_id="user-2")).account.referral_code,
        "key_id": key.api_key.key_id,
        "event_id": events.events[0].event_id,
        "payload": payload,
        "stripe_signature": signature,
        "card_file": card_file("example"),
    }


def namespace(prepared_names, **more):
    public = {name: getattr(billing_client, name) for name in billing_client.__all__}
    return {
        **public,
        "BillingError": errors.BillingError,
        "datetime": datetime,
        "timedelta": timedelta,
        "UTC": UTC,
        "gzip": gzip,
        **prepared_names,
        **more,
    }


def compiled(example, filename):
    return compile(example, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("store_name", ["sqlite"])
@pytest.mark.parametrize("kind", CLIENTS)
async def test_every_example_runs(kind, database):
    names = [name for name in dir(CLIENTS[kind]) if callable(getattr(CLIENTS[kind], name)) and not name.startswith("_")]
    said = io.StringIO()
    async with running_stack(database.url) as stack:
        known = await prepared(stack)
        for name in sorted(names, key=lambda each: (each == "close", each.startswith("cancel"), each)):
            code = compiled(example_of(kind, name), f"<example of {name}>")
            with contextlib.redirect_stdout(said):
                await run(kind, code, stack.service.address, known)
    assert len(said.getvalue().splitlines()) >= len(names)


async def run(kind, code, address, known):
    if kind == "blocking":

        def blocking():
            with BillingClient(address) as client:
                eval(code, namespace(known, client=client))

        await asyncio.to_thread(blocking)
        return
    async with AsyncBillingClient(address) as client:
        coroutine = eval(code, namespace(known, client=client))
        if coroutine is not None:
            await coroutine


def test_the_name_of_the_module_is_no_example():
    """The helper finds what it should: an example that is none, and none where there are two."""
    silent = SimpleNamespace(method=lambda: None)
    silent.method.__doc__ = "Words alone."
    CLIENTS["silent"] = silent
    try:
        with pytest.raises(AssertionError, match="one example is wanted"):
            example_of("silent", "method")
    finally:
        del CLIENTS["silent"]
