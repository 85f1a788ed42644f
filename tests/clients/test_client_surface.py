"""The public surface: whole, the same in both clients, and pinned."""

import inspect
import re
import runpy
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import billing_client
import pytest
from billing_client import AsyncBillingClient, BillingClient
from google.protobuf.message_factory import GetMessageClass
from prepaid.billing.v1.admin_pb2 import VerifyLedgerResponse
from prepaid.billing.v1.rerating_pb2 import ReRatedModel, ReRateResponse
from prepaid.billing.v1.transactions_pb2 import ListTransactionsResponse, Transaction

from tests.support.fake_service import METHODS

DERIVATION = runpy.run_path(str(Path(__file__).parents[2] / "clients" / "python" / "derive_async.py"))
DERIVED, PACKAGE, derive = DERIVATION["DERIVED"], DERIVATION["PACKAGE"], DERIVATION["derive"]
CLIENTS = (BillingClient, AsyncBillingClient)
UNARY = [path for path, method in METHODS.items() if not (method.client_streaming or method.server_streaming)]
MANY = ("BatchDeductCredits", "StreamDeductions")
"""Their deductions carry the keys."""
BY_THEMSELVES = ("ProcessStripeEvent", "Reconcile")
"""Their effects have their own: an event, and whatever Stripe has, has its effect once."""
READS = ("Get", "List", "Quote", "Tail", "Verify", "Watch")


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def public(kind) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


READ_WHOLE = {
    f"iter_{name}"
    for name in (
        "transactions",
        "purchases",
        "all_purchases",
        "refunds",
        "holds",
        "accounts",
        "stripe_events",
        "audit_records",
        "rate_cards",
        "webhook_deliveries",
        "verification",
        "re_rating",
    )
}


def test_the_surface_is_pinned():
    lifecycle = {"close", "from_env", "from_options", "is_serving"}
    for client in CLIENTS:
        assert public(client) == {snake_case(method.name) for method in METHODS.values()} | READ_WHOLE | lifecycle
    assert set(billing_client.__all__) == {
        "MICROCREDITS_PER_CREDIT",
        "AsyncBillingClient",
        "BillingClient",
        "ClientOptions",
        "CreditCategory",
        "Deduction",
        "DeductionMode",
        "HoldMode",
        "HoldState",
        "OverHold",
        "GenerationOutcome",
        "DisputeStatus",
        "EventKind",
        "PaymentFlow",
        "PurchaseFlag",
        "PurchaseStatus",
        "RefundPolicy",
        "RefundStatus",
        "Scope",
        "SpendWindow",
        "StopReason",
        "StripeEventStatus",
        "TransactionKind",
        "Usage",
        "UsageKind",
        "UsageLine",
        "__version__",
        "new_idempotency_key",
    }


@pytest.mark.parametrize("path", UNARY)
def test_every_rpc_is_a_method_that_takes_every_field(path):
    method = METHODS[path]
    named = {field.name for field in method.input_type.fields}
    for client in CLIENTS:
        parameters = inspect.signature(getattr(client, snake_case(method.name))).parameters
        assert set(parameters) == named | {"self", "timeout_s", "headers"}
        assert all(parameter.kind is parameter.KEYWORD_ONLY for name, parameter in parameters.items() if name != "self")


@pytest.mark.parametrize("path", METHODS)
def test_every_write_takes_an_idempotency_key(path):
    method = METHODS[path]
    if method.name.startswith(READS) or method.name in BY_THEMSELVES:
        return
    if method.name in MANY:
        assert "idempotency_key" in {field.name for field in fields(billing_client.Deduction)}
        return
    taken = method.input_type.fields_by_name
    assert "idempotency_key" in (taken["open"].message_type.fields_by_name if "open" in taken else taken)
    for client in CLIENTS:
        assert "idempotency_key" in inspect.signature(getattr(client, snake_case(method.name))).parameters


def arguments_for(method) -> dict:
    """A value for every parameter without a default, and one of each pair."""
    values = {str: "x", int: 1, int | None: 1, bool: True, bytes: b"x", datetime: datetime.now(UTC)}
    parameters = inspect.signature(getattr(BillingClient, snake_case(method.name)), eval_str=True).parameters
    arguments = {
        name: values.get(parameter.annotation, [1])
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and name != "self"
    }
    return arguments | {
        "CreatePurchase": {"package_code": "starter"},
        "GetPurchase": {"purchase_id": "pur_1"},
        "BatchDeductCredits": {"deductions": []},
        "QuoteUsage": {"usage": billing_client.Usage()},
        "DeductCredits": {"account_id": "x", "amount_microcredits": 1},
        "HoldCredits": {"account_id": "x", "amount_microcredits": 1},
        "CaptureHold": {"account_id": "x", "hold_id": "hold_1", "amount_microcredits": 1},
    }.get(method.name, {})


@pytest.mark.parametrize("path", UNARY)
async def test_every_method_calls_its_rpc(service, path):
    method = METHODS[path]
    with BillingClient(service.address) as client:
        blocking = getattr(client, snake_case(method.name))(**arguments_for(method))
    async with AsyncBillingClient(service.address) as client:
        awaited = await getattr(client, snake_case(method.name))(**arguments_for(method))
    assert type(blocking) is type(awaited) is (list if method.name in MANY else GetMessageClass(method.output_type))
    assert [attempt.rpc for attempt in service.attempts] == [method.name] * 2


PAGERS = [
    ("iter_transactions", {"account_id": "a"}, "ListTransactions", "transactions"),
    ("iter_purchases", {"account_id": "a"}, "ListPurchases", "purchases"),
    ("iter_refunds", {"account_id": "a"}, "ListRefunds", "refunds"),
    ("iter_all_purchases", {}, "ListAllPurchases", "purchases"),
    ("iter_accounts", {}, "ListAccounts", "accounts"),
    ("iter_stripe_events", {}, "ListStripeEvents", "events"),
    ("iter_audit_records", {}, "ListAuditRecords", "records"),
    ("iter_rate_cards", {}, "ListRateCards", "rate_cards"),
    ("iter_webhook_deliveries", {}, "ListWebhookDeliveries", "deliveries"),
]


@pytest.mark.parametrize("listed", PAGERS)
@pytest.mark.parametrize("client_class", CLIENTS)
async def test_pagers_read_every_page_once(service, client_class, listed):
    pager, arguments, rpc, items = listed
    method = next(method for method in METHODS.values() if method.name == rpc)
    page_class = GetMessageClass(method.output_type)
    item = method.output_type.fields_by_name[items].message_type
    pages = [(2, "second"), (0, "third"), (1, "")]
    service.script = [
        page_class(**{items: [GetMessageClass(item)()] * count, "next_page_token": token}) for count, token in pages
    ]
    if client_class is BillingClient:
        with BillingClient(service.address) as client:
            found = list(getattr(client, pager)(page_size=2, **arguments))
    else:
        async with AsyncBillingClient(service.address) as client:
            found = [item async for item in getattr(client, pager)(page_size=2, **arguments)]
    assert len(found) == 3
    assert [(attempt.request.page_token, attempt.request.page_size) for attempt in service.attempts] == [
        ("", 2),
        ("second", 2),
        ("third", 2),
    ]


IN_PARTS = {
    "iter_verification": (
        {},
        [
            VerifyLedgerResponse(transaction_count=2, transaction_total=5, next_page_token="more"),
            VerifyLedgerResponse(account_count=1),
        ],
    ),
    "iter_re_rating": (
        {"to_rate_card_version": "v", "start_time": datetime.now(UTC), "end_time": datetime.now(UTC)},
        [ReRateResponse(models=[ReRatedModel(model="m")], next_page_token="more"), ReRateResponse()],
    ),
}


@pytest.mark.parametrize("name", IN_PARTS)
@pytest.mark.parametrize("client_class", CLIENTS)
async def test_what_comes_in_parts_is_read_part_by_part(service, client_class, name):
    arguments, parts = IN_PARTS[name]
    service.script = list(parts)
    if client_class is BillingClient:
        with BillingClient(service.address) as client:
            found = list(getattr(client, name)(page_size=2, **arguments))
    else:
        async with AsyncBillingClient(service.address) as client:
            found = [part async for part in getattr(client, name)(page_size=2, **arguments)]
    assert found == parts
    assert [(attempt.request.page_token, attempt.request.page_size) for attempt in service.attempts] == [
        ("", 2),
        ("more", 2),
    ]


def test_a_pager_reads_no_page_that_nobody_asked_for(service):
    service.script = [
        ListTransactionsResponse(transactions=[Transaction(transaction_id="txn_1")], next_page_token="more")
    ]
    with BillingClient(service.address) as client:
        assert next(client.iter_transactions(account_id="a")).transaction_id == "txn_1"
    assert len(service.attempts) == 1


@pytest.mark.parametrize("name", DERIVED)
def test_the_asynchronous_client_is_what_the_blocking_one_says(name):
    source = (PACKAGE / "blocking" / name).read_text()
    assert (PACKAGE / "asynchronous" / name).read_text() == derive(source), "run: python clients/python/derive_async.py"


def test_no_blocking_module_is_forgotten():
    assert {path.name for path in Path(PACKAGE / "blocking").glob("*.py")} == {
        *DERIVED,
        "__init__.py",
        "connection.py",
        "deduction_stream.py",
        "event_feed.py",
        "reconciling.py",
        "metered_session.py",
        "streams.py",
    }
