"""What the adapter asks is what Stripe takes."""

import subprocess
import sys
from dataclasses import replace

import pytest
from stripe.params import CustomerCreateParams, CustomerUpdateParams, RefundCreateParams
from stripe.params.checkout import SessionCreateParams, SessionExpireParams

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects.customer import CONTACT_VERSION_FIELD
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.payments.ports.provider import PaymentProvider
from tests.payments.scripted_stripe import Drop, Reply
from tests.payments.stripe_answers import KEY, ORDER, REFUND, REFUND_ARGUMENTS, SESSION, error_reply
from tests.payments.stripe_parameters import faults, nested


@pytest.mark.parametrize("change", [{"amount_subtotal": 4_400}, {"currency": "eur"}])
async def test_a_page_that_would_charge_something_else_is_refused(server, provider, change):
    server.will(Reply({**SESSION, **change}))
    with pytest.raises(ProviderRefused) as caught:
        await provider.create_checkout(replace(ORDER, stripe_price_id="price_1"))
    assert caught.value.code == "amount_mismatch"


async def test_a_checkout_that_can_not_be_closed_is_refused(server, provider):
    server.will(error_reply(400, type="invalid_request_error", code="checkout_session_not_open"))
    with pytest.raises(ProviderRefused) as caught:
        await provider.expire_checkout("cs_test_1", "expire:pur_1")
    assert caught.value.code == "checkout_session_not_open"
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("POST", "/v1/checkout/sessions/cs_test_1/expire")
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
    assert (session.session_id, session.url, session.purchase_id) == (
        "cs_test_1",
        "https://pay.example/cs_test_1",
        "pur_1",
    )
    [asked] = server.asked
    assert (asked.method, asked.path, asked.key) == ("POST", "/v1/checkout/sessions", "checkout:pur_1")
    assert faults(asked.params, SessionCreateParams) == []
    params = nested(asked.params)
    metadata = {**order.metadata, "purchase_id": "pur_1", "account_id": "acme", MARK_FIELD: "mark-of-pur_1"}
    assert params["metadata"] == params["payment_intent_data"]["metadata"] == metadata
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


@pytest.mark.parametrize(("email", "name", "version"), [("", "", 0), ("a@example.org", "Ada", 3)])
async def test_a_customer_is_made(*, server, provider, email, name, version):
    server.will(Reply({"id": "cus_9", "object": "customer"}))
    said = {"account_id": "acme", "email": email, "name": name, "contact_version": version, "mark": "mark-of-acme"}
    assert await provider.create_customer(**said, idempotency_key="customer:acme") == "cus_9"
    [asked] = server.asked
    assert (asked.path, asked.key) == ("/v1/customers", "customer:acme")
    assert faults(asked.params, CustomerCreateParams) == []
    metadata = {"account_id": "acme", MARK_FIELD: "mark-of-acme"} | ({CONTACT_VERSION_FIELD: "3"} if version else {})
    assert nested(asked.params) == {"metadata": metadata} | ({"email": email, "name": name} if email else {})


@pytest.mark.parametrize(
    ("email", "name", "version"), [("b@example.org", "Bea", 4), ("b@example.org", "Bea", None), ("", "", 4)]
)
async def test_a_customer_is_updated(*, server, provider, email, name, version):
    server.will(Reply({"id": "cus_9", "object": "customer"}))
    said = {"account_id": "acme", "email": email, "name": name, "mark": "mark-of-acme"}
    await provider.update_customer("cus_9", **said, contact_version=version)
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/customers/cus_9")
    # To Stripe an empty text takes away what was there; the SDK's types know none.
    assert faults({name: value or "none" for name, value in asked.params.items()}, CustomerUpdateParams) == []
    whose = {"account_id": "acme", MARK_FIELD: "mark-of-acme"}
    metadata = whose | ({} if version is None else {CONTACT_VERSION_FIELD: str(version)})
    assert nested(asked.params) == {"email": email, "name": name, "metadata": metadata}


async def test_a_refund_is_made_under_one_key_over_all_attempts(server, provider):
    marked = {**REFUND, "metadata": {"refund_id": "ref_1", "purchase_id": "pur_1", MARK_FIELD: "mark-of-ref_1"}}
    server.will(Drop(), error_reply(500, type="api_error"), Reply(marked))
    refund = await provider.create_refund(**REFUND_ARGUMENTS)
    assert refund == ProviderRefund("re_1", "succeeded", 500, "usd", "pi_1", "ch_1", "ref_1", "pur_1", "mark-of-ref_1")
    assert {asked.key for asked in server.asked} == {"refund:ref_1"}
    assert len(server.asked) == 3
    assert faults(server.asked[-1].params, RefundCreateParams) == []
    assert nested(server.asked[-1].params) == {
        "payment_intent": "pi_1",
        "amount": "500",
        "metadata": {"refund_id": "ref_1", "purchase_id": "pur_1", "account_id": "acme", MARK_FIELD: "mark-of-ref_1"},
    }


async def test_a_refund_that_an_older_program_began_is_asked_for_as_it_did(server, provider):
    server.will(Reply(REFUND))
    refund = await provider.create_refund(**{**REFUND_ARGUMENTS, "mark": ""})
    assert refund.mark == ""
    assert nested(server.asked[-1].params)["metadata"] == {
        "refund_id": "ref_1",
        "purchase_id": "pur_1",
        "account_id": "acme",
    }


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
    imported = "billing_service.payments.ports.provider, billing_service.payments.stripe.provider"
    code = f"import sys, {imported}; sys.exit('stripe' in sys.modules)"
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
