"""The adapter against a scripted server: what it asks is what Stripe takes, and every answer becomes one of the port's words."""

import asyncio
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import stripe
from scripted_stripe import Drop, Hang, Reply, recorded, scripted_stripe
from stripe.params import CustomerCreateParams, RefundCreateParams, RefundListParams
from stripe.params.checkout import SessionCreateParams, SessionExpireParams
from stripe_parameters import faults, nested

from billing_service.payments.port import CheckoutOrder, PaymentProvider, ProviderRefund, ProviderRefused, ProviderUnavailable
from billing_service.payments.stripe_errors import VERDICTS
from billing_service.payments.stripe_provider import StripeProvider

KEY = "sk_" + "test_" + "scripted"
ORDER = CheckoutOrder(
    purchase_id="pur_1",
    account_id="acme",
    customer_id="cus_1",
    name="Standard Pack",
    description="5,000 credits",
    amount_minor=4_500,
    currency="usd",
    success_url="https://app.example/ok?session={CHECKOUT_SESSION_ID}",
    cancel_url="https://app.example/no",
    expire_time_us=1_800_000_000_999_999,
    metadata={"order": "7", "purchase_id": "pur_forged"},
    idempotency_key="checkout:pur_1",
)
SESSION = {
    "id": "cs_test_1",
    "object": "checkout.session",
    "mode": "payment",
    "status": "open",
    "payment_status": "unpaid",
    "amount_subtotal": 4_500,
    "amount_total": 4_500,
    "currency": "usd",
    "livemode": False,
    "expires_at": 1_800_000_000,
    "url": "https://pay.example/cs_test_1",
    "payment_intent": None,
    "customer": "cus_1",
    "client_reference_id": "pur_1",
    "metadata": {"purchase_id": "pur_1", "account_id": "acme"},
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
}
REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 500,
    "currency": "usd",
    "status": "succeeded",
    "payment_intent": "pi_1",
    "charge": "ch_1",
}
REFUND_ARGUMENTS = {
    "refund_id": "ref_1",
    "purchase_id": "pur_1",
    "account_id": "acme",
    "payment_intent_id": "pi_1",
    "amount_minor": 500,
    "idempotency_key": "refund:ref_1",
}


def error_reply(status, *, headers=None, **error):
    return Reply({"error": {"message": "no", **error}}, status, headers or {})


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.001)


@pytest.fixture
async def server():
    async with scripted_stripe() as running:
        yield running


@pytest.fixture
async def provider(server):
    opened = StripeProvider(KEY, api_base=server.base, attempt_timeout_s=0.3, call_timeout_s=5)
    yield opened
    await opened.close()


REFUSALS = [
    (error_reply(400, type="invalid_request_error", code="charge_already_refunded"), "charge_already_refunded", None),
    (error_reply(400, type="invalid_request_error", code="amount_too_small", param="amount"), "amount_too_small", "amount"),
    (error_reply(400, type="invalid_request_error"), "invalid_request_error", None),
    (error_reply(404, type="invalid_request_error", code="resource_missing", param="payment_intent"), "resource_missing", "payment_intent"),
    (error_reply(402, type="card_error", code="card_declined", decline_code="lost_card"), "card_declined", None),
]


@pytest.mark.parametrize(("reply", "code", "param"), REFUSALS)
async def test_a_definite_no_is_refused_at_once(server, provider, reply, code, param):
    server.will(reply)
    with pytest.raises(ProviderRefused) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert (caught.value.code, caught.value.message, caught.value.param) == (code, "no", param)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("error.400.amount_too_small", "parameter_invalid_integer"),
        ("error.402.card_declined", "card_declined"),
        ("error.404.resource_missing", "resource_missing"),
    ],
)
async def test_a_recorded_no_is_refused(server, provider, name, code):
    answer = recorded(name)
    server.will(Reply(answer["json"], answer["status"], {k: v for k, v in answer["headers"].items() if k != "Content-Type"}))
    with pytest.raises(ProviderRefused) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert caught.value.code == code


UNKNOWN = [
    pytest.param(error_reply(500, type="api_error"), 3, id="500"),
    pytest.param(error_reply(500, type="api_error", headers={"Stripe-Should-Retry": "false"}), 1, id="500-do-not-retry"),
    pytest.param(error_reply(503, type="api_error"), 3, id="503"),
    pytest.param(Reply("<html>bad gateway</html>", 502), 3, id="502-html"),
    pytest.param(error_reply(429, type="invalid_request_error", code="rate_limit"), 1, id="429"),
    pytest.param(error_reply(400, type="invalid_request_error", code="rate_limit"), 1, id="400-rate-limit"),
    pytest.param(error_reply(400, type="invalid_request_error", code="lock_timeout"), 1, id="400-lock-timeout"),
    pytest.param(error_reply(409, type="idempotency_error", code="idempotency_key_in_use"), 3, id="409-in-use"),
    pytest.param(error_reply(400, type="idempotency_error"), 1, id="other-parameters"),
    pytest.param(error_reply(401, type="invalid_request_error"), 1, id="401"),
    pytest.param(error_reply(403, type="invalid_request_error"), 1, id="403"),
    pytest.param(error_reply(418, type="teapot"), 1, id="418"),
    pytest.param(Hang(), 3, id="hang"),
    pytest.param(Drop(), 3, id="drop"),
    pytest.param(Drop(half=True), 3, id="drop-in-the-body"),
    pytest.param(Reply("not json"), 1, id="not-json"),
    pytest.param(Reply("[]"), 1, id="array"),
    pytest.param(Reply("null"), 1, id="null"),
    pytest.param(Reply({}), 1, id="empty"),
    pytest.param(Reply({**REFUND, "amount": "500"}), 1, id="amount-as-text"),
    pytest.param(Reply({**REFUND, "amount": 5.5}), 1, id="amount-as-float"),
    pytest.param(Reply({**REFUND, "status": None}), 1, id="no-status"),
]


@pytest.mark.parametrize(("step", "attempts"), UNKNOWN)
async def test_anything_else_leaves_the_outcome_unknown(server, provider, step, attempts):
    server.will(step)
    with pytest.raises(ProviderUnavailable) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert not caught.value.key_spent
    assert [asked.key for asked in server.asked] == ["refund:ref_1"] * attempts
    assert KEY not in str(caught.value)


async def test_a_recorded_bad_key_is_a_misconfiguration(server, provider):
    answer = recorded("error.401")
    server.will(Reply(answer["json"], answer["status"]))
    with pytest.raises(ProviderUnavailable, match="AuthenticationError"):
        await provider.get_checkout("cs_test_1")


@pytest.mark.parametrize(("status", "key_spent"), [(500, True), (503, True), (409, False), (400, None)])
async def test_a_stored_failure_tells_that_its_key_is_spent(server, provider, status, key_spent):
    server.will(error_reply(status, type="api_error", code="x", headers={"Idempotent-Replayed": "true", "Stripe-Should-Retry": "false"}))
    with pytest.raises(ProviderRefused if key_spent is None else ProviderUnavailable) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert getattr(caught.value, "key_spent", None) is key_spent


async def test_nobody_listening_is_unknown():
    provider = StripeProvider(KEY, api_base="http://127.0.0.1:9", attempt_timeout_s=0.3)
    with pytest.raises(ProviderUnavailable):
        await provider.list_refunds("pi_1")
    await provider.close()


async def test_the_whole_call_has_an_end(server):
    provider = StripeProvider(KEY, api_base=server.base, attempt_timeout_s=60, call_timeout_s=0.05)
    server.will(Hang())
    begin = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="TimeoutError"):
        await provider.get_checkout("cs_test_1")
    assert time.monotonic() - begin < 5
    await provider.close()


async def test_a_caller_that_gives_up_is_not_told_otherwise(server, provider):
    server.will(Hang())
    call = asyncio.create_task(provider.get_checkout("cs_test_1"))
    await server.hanging.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_every_error_of_the_sdk_that_its_v1_calls_raise_has_a_verdict():
    raised = {
        stripe.APIConnectionError,
        stripe.APIError,
        stripe.AuthenticationError,
        stripe.CardError,
        stripe.IdempotencyError,
        stripe.InvalidRequestError,
        stripe.PermissionError,
        stripe.RateLimitError,
    }
    assert set(VERDICTS) == raised


@pytest.mark.parametrize("change", [{"amount_subtotal": 4_400}, {"currency": "eur"}])
async def test_a_page_that_would_charge_something_else_is_refused(server, provider, change):
    server.will(Reply({**SESSION, **change}))
    with pytest.raises(ProviderRefused) as caught:
        await provider.create_checkout(replace(ORDER, stripe_price_id="price_1"))
    assert caught.value.code == "amount_mismatch"


async def test_an_open_checkout_that_can_not_be_closed_stays_refused(server, provider):
    server.will(error_reply(400, type="invalid_request_error", code="busy"), Reply(SESSION))
    with pytest.raises(ProviderRefused) as caught:
        await provider.expire_checkout("cs_test_1", "expire:pur_1")
    assert caught.value.code == "busy"


@pytest.mark.parametrize("status", ["complete", "expired"])
async def test_closing_a_closed_checkout_tells_how_it_stands(server, provider, status):
    server.will(error_reply(400, type="invalid_request_error"), Reply({**SESSION, "status": status, "url": None}))
    session = await provider.expire_checkout("cs_test_1", "expire:pur_1")
    assert (session.status, session.url) == (status, "")
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("POST", "/v1/checkout/sessions/cs_test_1/expire"),
        ("GET", "/v1/checkout/sessions/cs_test_1"),
    ]


async def test_an_open_checkout_is_closed(server, provider):
    server.will(Reply({**SESSION, "status": "expired"}))
    assert (await provider.expire_checkout("cs_test_1", "expire:pur_1")).status == "expired"
    [asked] = server.asked
    assert asked.key == "expire:pur_1"
    assert faults(asked.params, SessionExpireParams) == []


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(ORDER, customer_id=None, description="", allow_promotion_codes=True, metadata={}),
        replace(ORDER, stripe_price_id="price_1"),
    ],
)
async def test_a_checkout_is_asked_for_in_stripes_own_terms(server, provider, order):
    server.will(Reply(SESSION))
    session = await provider.create_checkout(order)
    assert (session.session_id, session.url, session.purchase_id) == ("cs_test_1", "https://pay.example/cs_test_1", "pur_1")
    [asked] = server.asked
    assert (asked.method, asked.path, asked.key) == ("POST", "/v1/checkout/sessions", "checkout:pur_1")
    assert faults(asked.params, SessionCreateParams) == []
    params = nested(asked.params)
    marks = {**order.metadata, "purchase_id": "pur_1", "account_id": "acme"}
    assert params["metadata"] == params["payment_intent_data"]["metadata"] == marks
    assert params["client_reference_id"] == "pur_1"
    assert (params["success_url"], params["cancel_url"]) == (ORDER.success_url, ORDER.cancel_url)
    assert params["expires_at"] == "1800000000"
    assert params["adaptive_pricing"] == {"enabled": "false"}
    assert not params.keys() & {"payment_method_types", "discounts"}
    assert params.get("customer") == order.customer_id
    assert params.get("allow_promotion_codes") == ("true" if order.allow_promotion_codes else None)
    item = params["line_items"]["0"]
    assert item["quantity"] == "1"
    if order.stripe_price_id:
        assert item["price"] == "price_1"
    else:
        product = {"name": "Standard Pack"} | ({"description": "5,000 credits"} if order.description else {})
        assert item["price_data"] == {"currency": "usd", "unit_amount": "4500", "product_data": product}


@pytest.mark.parametrize(("email", "name"), [("", ""), ("a@example.org", "Ada")])
async def test_a_customer_is_made(server, provider, email, name):
    server.will(Reply({"id": "cus_9", "object": "customer"}))
    assert await provider.create_customer(account_id="acme", email=email, name=name, idempotency_key="customer:acme") == "cus_9"
    [asked] = server.asked
    assert (asked.path, asked.key) == ("/v1/customers", "customer:acme")
    assert faults(asked.params, CustomerCreateParams) == []
    assert nested(asked.params) == {"metadata": {"account_id": "acme"}} | ({"email": email, "name": name} if email else {})


async def test_a_refund_is_made_under_one_key_over_all_attempts(server, provider):
    marked = {**REFUND, "metadata": {"refund_id": "ref_1", "purchase_id": "pur_1"}}
    server.will(Drop(), error_reply(500, type="api_error"), Reply(marked))
    refund = await provider.create_refund(**REFUND_ARGUMENTS)
    assert refund == ProviderRefund("re_1", "succeeded", 500, "usd", "pi_1", "ch_1", "ref_1", "pur_1")
    assert {asked.key for asked in server.asked} == {"refund:ref_1"}
    assert len(server.asked) == 3
    assert faults(server.asked[-1].params, RefundCreateParams) == []
    assert nested(server.asked[-1].params) == {
        "payment_intent": "pi_1",
        "amount": "500",
        "metadata": {"refund_id": "ref_1", "purchase_id": "pur_1", "account_id": "acme"},
    }


async def test_refunds_of_all_pages_are_listed(server, provider):
    def page(*ids, more):
        return Reply(
            {"object": "list", "url": "/v1/refunds", "has_more": more, "data": [{**REFUND, "id": i, "charge": {"id": "ch_2"}} for i in ids]}
        )

    server.will(page("re_3", "re_2", more=True), page("re_1", more=False))
    refunds = await provider.list_refunds("pi_1")
    assert [(refund.stripe_refund_id, refund.charge_id, refund.refund_id) for refund in refunds] == [
        ("re_3", "ch_2", None),
        ("re_2", "ch_2", None),
        ("re_1", "ch_2", None),
    ]
    assert [asked.params.get("starting_after") for asked in server.asked] == [None, "re_2"]
    for asked in server.asked:
        assert faults(asked.params, RefundListParams) == []


async def test_recorded_objects_are_read(server, provider):
    server.will(Reply(recorded("checkout.session.payment.open")), Reply(recorded("refund.1")))
    session = await provider.get_checkout("cs_test_1")
    assert (session.status, session.payment_status, session.amount_total_minor, session.mode) == ("open", "unpaid", 1_500, "payment")
    assert (session.payment_intent_id, session.purchase_id, session.customer_id) == (None, None, "cus_UFHpBbwhH1LAIi")
    assert session.expire_time_us == 1_774_992_136_000_000
    refund = await provider.create_refund(**REFUND_ARGUMENTS)
    assert (refund.stripe_refund_id, refund.amount_minor, refund.status) == ("re_3SRzqkKXBGcbgpbZ1Ri48Fy5", 1_000, "succeeded")


@pytest.mark.parametrize(
    ("metadata", "client_reference_id", "purchase_id"),
    [({"purchase_id": "pur_1"}, None, None), ({}, "pur_1", None), ({"purchase_id": "pur_1"}, "pur_2", None), (None, None, None)],
)
async def test_a_purchase_is_named_only_by_both_marks(server, provider, metadata, client_reference_id, purchase_id):
    server.will(Reply({**SESSION, "metadata": metadata, "client_reference_id": client_reference_id, "total_details": None}))
    assert (await provider.get_checkout("cs_test_1")).purchase_id == purchase_id


async def test_the_key_and_the_pinned_version_are_sent_and_no_telemetry(server, provider):
    server.will(Reply(SESSION, headers={"Request-Id": "req_1"}))
    await provider.get_checkout("cs_test_1")
    await provider.get_checkout("cs_test_1")
    headers = {name.lower(): value for name, value in server.asked[1].headers.items()}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["stripe-version"] == "2026-10-28.endive"
    assert "x-stripe-client-telemetry" not in headers
    assert "telemetry_id" not in headers["x-stripe-client-user-agent"]


def test_the_sdk_is_not_imported_before_a_provider_is_made():
    code = "import sys, billing_service.payments.port, billing_service.payments.stripe_provider; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_the_adapter_fits_the_port(provider):
    fits: PaymentProvider = provider
    assert fits is provider


def test_the_judge_of_parameters_is_strict():
    good = {"line_items[0][price]": "price_1", "line_items[0][quantity]": "1", "mode": "payment", "metadata[a]": "b"}
    assert faults(good, SessionCreateParams) == []
    for bad in [
        {"payment_method_types[0]": "card"},
        {"mode": "x"},
        {"expires_at": "1.5"},
        {"line_items[0][price_data][unit_amount]": "1"},
        {"line_items[0][price_data][curency]": "usd"},
        {"metadata[c][d]": "e"},
        {"allow_promotion_codes": "yes"},
    ]:
        assert faults(good | bad, SessionCreateParams), bad
