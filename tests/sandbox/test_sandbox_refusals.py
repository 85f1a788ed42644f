"""What the sandbox says no to, in Stripe's words and shapes."""

from typing import Any

import pytest
import stripe

from tests.sandbox.sandbox_running import CANCEL, LIVE_KEY, SUCCESS, Running
from tests.support.stripe_members import ERROR_HEADERS, ERRORS

PRICE = {"price_data": {"currency": "usd", "unit_amount": 999, "product_data": {"name": "100 credits"}}, "quantity": 1}
SESSION: dict[str, Any] = {"mode": "payment", "line_items": [PRICE], "success_url": SUCCESS, "cancel_url": CANCEL}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer ",
        f"Bearer {LIVE_KEY}",
        "Bearer pk_" + "test_" + "x",
        "Bearer sk_" + "test_",
        "Basic !!!",
        "Nonsense",
    ],
)
async def test_keys_that_get_401(sandbox: Running, authorization: str) -> None:
    status, body, _ = await sandbox.call("GET", "/v1/customers", Authorization=authorization)
    assert status == 401
    assert body["error"]["type"] == "invalid_request_error"
    assert LIVE_KEY not in str(body)


async def test_live_key_through_the_sdk(sandbox: Running) -> None:
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided: sk_live_"):
        await sandbox.stripe.v1.customers.list_async({}, {"api_key": LIVE_KEY})


SESSION_REFUSALS: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("no mode", {"mode": None}, "mode", "parameter_missing"),
    ("unknown mode", {"mode": "x"}, "mode", None),
    ("subscriptions are not played", {"mode": "subscription"}, "mode=subscription", "not_offered_by_sandbox"),
    (
        "legacy parameter at the pinned version",
        {"payment_method_types": ["card"]},
        "payment_method_types",
        "parameter_unknown",
    ),
    ("unknown parameter", {"sucess_url": "https://x.example"}, "sucess_url", "parameter_unknown"),
    (
        "unknown nested parameter",
        {"payment_intent_data": {"meta": "x"}},
        "payment_intent_data[meta]",
        "parameter_unknown",
    ),
    (
        "float amount",
        {"line_items": [{"price_data": PRICE["price_data"] | {"unit_amount": 9.99}, "quantity": 1}]},
        "line_items[0][price_data][unit_amount]",
        "parameter_invalid_integer",
    ),  # type: ignore[operator]
    (
        "no currency",
        {"line_items": [{"price_data": {"unit_amount": 999, "product_data": {"name": "x"}}, "quantity": 1}]},
        "line_items[0][price_data][currency]",
        "parameter_missing",
    ),
    ("no line items", {"line_items": None}, "line_items", "parameter_missing"),
    ("no quantity", {"line_items": [{"price_data": PRICE["price_data"]}]}, "line_items[0][quantity]", None),
    (
        "no such price",
        {"line_items": [{"price": "price_none", "quantity": 1}]},
        "line_items[0][price]",
        "resource_missing",
    ),
    ("price and price_data", {"line_items": [PRICE | {"price": "price_none"}]}, "line_items[0]", None),
    (
        "too cheap",
        {"line_items": [{"price_data": PRICE["price_data"] | {"unit_amount": 49}, "quantity": 1}]},
        "line_items",
        "amount_too_small",
    ),  # type: ignore[operator]
    (
        "negative",
        {"line_items": [{"price_data": PRICE["price_data"] | {"unit_amount": -1}, "quantity": 1}]},
        "line_items[0][price_data][unit_amount]",
        "parameter_invalid_integer",
    ),  # type: ignore[operator]
    ("no success_url", {"success_url": None}, "success_url", "parameter_missing"),
    ("bad url", {"cancel_url": "javascript:alert(1)"}, "cancel_url", "url_invalid"),
    ("no such customer", {"customer": "cus_none"}, "customer", "resource_missing"),
    ("expires too soon", {"expires_at": 1}, "expires_at", None),
    ("expires too late", {"expires_at": 99999999999}, "expires_at", None),
    ("long reference", {"client_reference_id": "x" * 201}, "client_reference_id", None),
    ("long metadata key", {"metadata": {"k" * 41: "v"}}, "metadata", None),
    ("long metadata value", {"metadata": {"k": "v" * 501}}, "metadata[k]", None),
    ("much metadata", {"metadata": {f"k{number}": "v" for number in range(51)}}, "metadata", None),
    ("no method left", {"allowed_payment_method_types": ["klarna"]}, "allowed_payment_method_types", None),
    ("unknown method", {"allowed_payment_method_types": ["cowries"]}, "allowed_payment_method_types[0]", None),
    ("discounts are not played", {"discounts": [{"coupon": "x"}]}, "discounts", "not_offered_by_sandbox"),
]


@pytest.mark.parametrize(
    ("changes", "param", "code"), [row[1:] for row in SESSION_REFUSALS], ids=[row[0] for row in SESSION_REFUSALS]
)
async def test_session_that_is_refused(sandbox: Running, changes: dict[str, Any], param: str, code: str | None) -> None:
    params = {name: value for name, value in (SESSION | changes).items() if value is not None}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await sandbox.stripe.v1.checkout.sessions.create_async(params)
    assert (refused.value.param, refused.value.code) == (param, code)
    assert (await sandbox.stripe.v1.checkout.sessions.list_async()).data == []


@pytest.mark.parametrize(
    ("currency", "good", "bad"),
    [("kwd", 1_000, 1_005), ("tnd", 1_000, 1_001), ("isk", 10_000, 10_010), ("ugx", 10_000, 10_099)],
)
async def test_amounts_between_two_that_the_currency_has_are_refused(
    sandbox: Running, currency: str, good: int, bad: int
) -> None:
    v1 = sandbox.stripe.v1
    item: Any = {
        "price_data": {"currency": currency, "unit_amount": good, "product_data": {"name": "Pack"}},
        "quantity": 1,
    }
    with pytest.raises(stripe.InvalidRequestError, match="divisible"):
        await v1.checkout.sessions.create_async(
            SESSION | {"line_items": [item | {"price_data": item["price_data"] | {"unit_amount": bad}}]}
        )
    intent = await v1.payment_intents.create_async(
        {
            "amount": good,
            "currency": currency,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "return_url": "http://a.example",
        }
    )
    with pytest.raises(stripe.InvalidRequestError, match="divisible") as refused:
        await v1.refunds.create_async({"payment_intent": intent.id, "amount": bad - good})
    assert refused.value.param == "amount"
    assert (await v1.refunds.create_async({"payment_intent": intent.id, "amount": good})).status == "succeeded"


async def test_inactive_and_recurring_prices_are_refused(sandbox: Running) -> None:
    v1 = sandbox.stripe.v1
    data: Any = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "Pack"}}
    inactive = await v1.prices.create_async(data | {"active": False})
    recurring = await v1.prices.create_async(data | {"recurring": {"interval": "month"}})
    for price, words in ((inactive, "inactive"), (recurring, "recurring price")):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            await v1.checkout.sessions.create_async(SESSION | {"line_items": [{"price": price.id, "quantity": 1}]})


@pytest.mark.parametrize(
    ("method", "path", "form", "status", "code", "param"),
    [
        ("POST", "/v1/customers", "email=nobody", 400, "email_invalid", "email"),
        ("POST", "/v1/customers", "email=a@b", 400, "email_invalid", "email"),
        ("POST", "/v1/customers", "email=a@b..co", 400, "email_invalid", "email"),
        ("POST", "/v1/customers", "email=a,b@c.de", 400, "email_invalid", "email"),
        ("POST", "/v1/customers", "email=<a@b.co>", 400, "email_invalid", "email"),
        ("POST", "/v1/customers", "email=a b@c.de", 400, "email_invalid", "email"),
        ("POST", "/v1/customers", "email=" + "a" * 508 + "@b.co", 400, "email_invalid", "email"),
        (
            "POST",
            "/v1/checkout/sessions",
            "mode=payment&success_url=http://a.example&customer_email=a@b",
            400,
            "email_invalid",
            "customer_email",
        ),
        ("POST", "/v1/customers", "metadata[a][b]=1", 400, None, "metadata[a]"),
        ("POST", "/v1/customers", "metadata=x&metadata[a]=1", 400, None, "metadata[a]"),
        ("POST", "/v1/customers", "a[[=1", 400, None, "a[["),
        ("POST", "/v1/customers", "&".join(f"metadata[k{n}]=1" for n in range(1001)), 400, None, None),
        ("POST", "/v1/customers", "balance=5", 400, "not_offered_by_sandbox", "balance"),
        ("GET", "/v1/customers/cus_none", "", 404, "resource_missing", "id"),
        ("GET", "/v1/customers?limit=0", "", 400, "parameter_invalid_integer", "limit"),
        ("GET", "/v1/customers?starting_after=cus_none", "", 400, "resource_missing", "starting_after"),
        ("GET", "/v1/customers?expand[]=data.shoes", "", 200, None, None),
        ("GET", "/v1/events?type=a&types[]=b", "", 400, None, "types"),
        ("GET", "/v1/events?created[ge]=1", "", 400, "parameter_unknown", "created[ge]"),
        ("GET", "/v1/events?delivery_success=maybe", "", 400, None, "delivery_success"),
        ("POST", "/v1/refunds", "", 400, None, None),
        ("POST", "/v1/refunds", "payment_intent=pi_none", 404, "resource_missing", "payment_intent"),
        ("POST", "/v1/refunds", "charge=ch_none&reason=because", 400, None, "reason"),
        ("POST", "/v1/payment_intents", "amount=49&currency=usd", 400, "amount_too_small", "amount"),
        ("POST", "/v1/payment_intents", "amount=0&currency=usd", 400, "parameter_invalid_integer", "amount"),
        ("POST", "/v1/payment_intents", "amount=1000000000&currency=usd", 400, "amount_too_large", "amount"),
        ("POST", "/v1/payment_intents", "amount=100&currency=dollar", 400, "invalid_currency", "currency"),
        ("POST", "/v1/payment_intents", "amount=100", 400, "parameter_missing", "currency"),
        ("POST", "/v1/payment_intents", "amount=100&currency=usd&off_session=true", 400, None, "off_session"),
        (
            "POST",
            "/v1/payment_intents",
            "amount=100&currency=usd&payment_method=pm_none",
            404,
            "resource_missing",
            "payment_method",
        ),
        ("POST", "/v1/prices", "currency=usd&unit_amount=5", 400, None, "product"),
        ("POST", "/v1/prices", "currency=usd&product=prod_none&unit_amount=5", 404, "resource_missing", "product"),
        ("POST", "/v1/prices", "currency=usd&product=prod_none", 400, None, "unit_amount"),
        ("POST", "/v1/payment_methods", "", 400, "parameter_missing", "type"),
        ("POST", "/v1/payment_methods", "type=card&card[token]=tok_none", 404, "resource_missing", "card[token]"),
        (
            "POST",
            "/v1/payment_methods",
            "type=card&card[number]=4242424242424241&card[exp_month]=1&card[exp_year]=2040",
            402,
            "incorrect_number",
            "number",
        ),
        (
            "POST",
            "/v1/payment_methods",
            "type=card&card[number]=4242424242424242&card[exp_month]=13&card[exp_year]=2040",
            402,
            "invalid_expiry_month",
            "exp_month",
        ),
        (
            "POST",
            "/v1/payment_methods",
            "type=card&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2001",
            402,
            "invalid_expiry_year",
            "exp_year",
        ),
        ("POST", "/v1/payment_pages/cs_none/confirm", "", 404, "resource_missing", "id"),
        ("GET", "/v1/unicorns", "", 404, None, None),
        ("PUT", "/v1/customers", "", 404, None, None),
    ],
)
async def test_request_that_is_refused(
    sandbox: Running, *, method: str, path: str, form: str, status: int, code: str | None, param: str | None
) -> None:
    got, body, headers = await sandbox.call(method, path, form, Content_Type="application/x-www-form-urlencoded")
    assert got == status, body
    assert headers["Request-Id"].startswith("req_")
    if status != 200:
        error = body["error"]
        assert (error.get("code"), error.get("param")) == (code, param), error
        assert headers["Stripe-Should-Retry"] == "false"


async def test_bodies_that_are_no_form(sandbox: Running) -> None:
    assert (await sandbox.call("POST", "/v1/customers", b'{"a": 1}', Content_Type="application/json"))[0] == 400
    assert (await sandbox.call("POST", "/v1/customers", b"a=\xff", Content_Type="application/x-www-form-urlencoded"))[
        0
    ] == 400
    assert (await sandbox.call("GET", "/v1/customers?email=%ff"))[0] == 400
    assert (await sandbox.call("GET", "/v1/customers", Stripe_Version="yesterday"))[0] == 400


@pytest.mark.parametrize("refused", [400, 402, 404])
async def test_error_bodies_have_the_members_of_stripe_s(sandbox: Running, refused: int) -> None:
    requests = {
        400: ("POST", "/v1/payment_intents", "amount=0&currency=usd"),
        404: ("GET", "/v1/customers/cus_none", None),
        402: (
            "POST",
            "/v1/payment_intents",
            "amount=100&currency=usd&payment_method_types[]=card&payment_method=pm_card_chargeDeclined&confirm=true",
        ),
    }
    method, path, form = requests[refused]
    status, body, headers = await sandbox.call(method, path, form, Content_Type="application/x-www-form-urlencoded")
    assert status == refused
    assert set(ERRORS[refused].split()) <= body["error"].keys()
    assert {name.lower() for name in ERROR_HEADERS[refused].split()} <= {name.lower() for name in headers}


async def test_older_parameters_pass_only_with_an_older_version(sandbox: Running) -> None:
    form = {"amount": "100", "currency": "usd", "payment_method_types[]": "card"}
    for version, status in ((None, 200), ("2025-10-29.clover", 200), (stripe.api_version, 400)):
        headers = {"Stripe_Version": version} if version else {}
        assert (await sandbox.call("POST", "/v1/payment_intents", form, **headers))[0] == status
