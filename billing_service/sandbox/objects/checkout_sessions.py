"""Checkout sessions in payment mode, as the API offers them."""

from stripe.params.checkout import (
    SessionCreateParams,
    SessionExpireParams,
    SessionLineItemListParams,
    SessionListParams,
    SessionRetrieveParams,
    SessionUpdateParams,
)

from billing_service.sandbox.config import is_web_url
from billing_service.sandbox.engine import email_addresses, metadata
from billing_service.sandbox.engine.errors import Json, invalid, missing, not_offered
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.money import check_charge
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import checkout_payment
from billing_service.sandbox.objects.catalogue import inline_price
from billing_service.sandbox.objects.checkout_objects import COPIED, line_item, new_session
from billing_service.sandbox.objects.payment_intents import METHOD_FILTERS, method_types

LIFE_DEFAULT_S = 24 * 3600
LIFE_MIN_S = 30 * 60
CLIENT_REFERENCE_LENGTH_MAX = 200
LINE_ITEMS_MAX = 100
PLAYED = frozenset(
    {
        *COPIED,
        *METHOD_FILTERS,
        "adaptive_pricing",
        "cancel_url",
        "currency",
        "custom_text",
        "customer",
        "customer_update",
        "expand",
        "expires_at",
        "line_items",
    }
) | {
    "metadata",
    "mode",
    "payment_intent_data",
    "payment_method_collection",
    "payment_method_options",
    "success_url",
    "ui_mode",
}
# Said at their default, these change nothing.
HARMLESS = {
    "automatic_tax": {"enabled": False},
    "invoice_creation": {"enabled": False},
    "phone_number_collection": {"enabled": False},
}
PLAYED_PAYMENT_DATA = frozenset(
    {
        "capture_method",
        "description",
        "metadata",
        "receipt_email",
        "setup_future_usage",
        "shipping",
        "statement_descriptor",
    }
) | {"statement_descriptor_suffix", "transfer_group"}


def create(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    _refuse_unplayed(params)
    _check_urls(params)
    _check_customer(sandbox, params)
    email_addresses.check(params, "customer_email")
    if len(params.get("client_reference_id", "")) > CLIENT_REFERENCE_LENGTH_MAX:
        raise invalid(
            f"Invalid string: must be at most {CLIENT_REFERENCE_LENGTH_MAX} characters", param="client_reference_id"
        )
    expires_at = _expiry(sandbox, params)
    metadata.fresh(params)  # refused before anything is made
    metadata.fresh(params.get("payment_intent_data", {}))
    items = _line_items(sandbox, params)
    session = sandbox.add(
        new_session(
            sandbox, params, items, method_types=method_types(params, items[0]["currency"]), expires_at=expires_at
        )
    )
    sandbox.line_items[session["id"]] = items
    sandbox.payment_data[session["id"]] = params.get("payment_intent_data", {})
    sandbox.schedule(expires_at, lambda: checkout_payment.expire_if_open(sandbox, session))
    return session


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("checkout.session", call.id)


def update(sandbox: Sandbox, call: Call) -> Json:
    session = sandbox.get("checkout.session", call.id)
    for name in call.params:
        if name not in {"metadata", "expand"}:
            raise not_offered(name)
    session["metadata"] = metadata.merged(session["metadata"], call.params.get("metadata"))
    return session


def expire(sandbox: Sandbox, call: Call) -> Json:
    session = sandbox.get("checkout.session", call.id)
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"`{session['status']}`."
        )
    checkout_payment.expire_if_open(sandbox, session)
    return session


def list_sessions(sandbox: Sandbox, call: Call) -> Json:
    plain = matches(call.params, "customer", "payment_intent", "payment_link", "status", "subscription")
    email = call.params.get("customer_details", {}).get("email")

    def kept(session: Json) -> bool:
        return plain(session) and (email is None or (session["customer_details"] or {}).get("email") == email)

    return page(sandbox.newest_first("checkout.session"), call.params, "/v1/checkout/sessions", kept)


def list_line_items(sandbox: Sandbox, call: Call) -> Json:
    session = sandbox.get("checkout.session", call.id)
    return page(sandbox.line_items[session["id"]], call.params, line_items_url(session), lambda _: True)


def line_items_url(session: Json) -> str:
    return f"/v1/checkout/sessions/{session['id']}/line_items"


def _refuse_unplayed(params: Json) -> None:
    if "mode" not in params:
        raise missing("mode")
    if params["mode"] != "payment":
        raise not_offered(f"mode={params['mode']}")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_offered(f"ui_mode={params['ui_mode']}")
    for name, value in params.items():
        if name not in PLAYED and (name not in HARMLESS or value != HARMLESS[name]):
            raise not_offered(name)
    for name in params.get("payment_intent_data", {}):
        if name not in PLAYED_PAYMENT_DATA:
            raise not_offered(f"payment_intent_data[{name}]")


def _check_urls(params: Json) -> None:
    if "success_url" not in params:
        raise missing("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params and not is_web_url(params[name]):
            raise invalid("Not a valid URL", param=name, code="url_invalid")


def _check_customer(sandbox: Sandbox, params: Json) -> None:
    if "customer" not in params:
        if "customer_update" in params:
            raise invalid("`customer_update` can only be used with `customer`.", param="customer_update")
        return
    for name in ("customer_email", "customer_creation"):
        if name in params:
            raise invalid(f"You may only specify one of these parameters: customer, {name}.", param="customer")
    sandbox.customer(params["customer"], param="customer")


def _expiry(sandbox: Sandbox, params: Json) -> int:
    now = sandbox.now()
    expires_at: int = params.get("expires_at", now + LIFE_DEFAULT_S)
    # The caller's clock read the second before ours, so one second of grace at both ends.
    if expires_at < now + LIFE_MIN_S - 1:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", param="expires_at"
        )
    if expires_at > now + LIFE_DEFAULT_S + 1:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.", param="expires_at"
        )
    return expires_at


def _line_items(sandbox: Sandbox, params: Json) -> list[Json]:
    sent = params.get("line_items", [])
    if not sent:
        raise missing("line_items")
    if len(sent) > LINE_ITEMS_MAX:
        raise invalid(f"Array line_items exceeded maximum {LINE_ITEMS_MAX} allowed elements.", param="line_items")
    items = [_line_item(sandbox, item, f"line_items[{index}]") for index, item in enumerate(sent)]
    currencies = sorted(
        {item["currency"] for item in items} | ({params["currency"].lower()} if "currency" in params else set())
    )
    if len(currencies) > 1:
        raise invalid(
            f"All prices on a Checkout Session must have the same currency; found {', '.join(currencies)}.",
            param="line_items",
        )
    total = sum(item["amount_total"] for item in items)
    if total > 0:
        check_charge(total, currencies[0], "line_items")
    return items


def _line_item(sandbox: Sandbox, sent: Json, param: str) -> Json:
    for name in sent:
        if name not in {"price", "price_data", "quantity"}:
            raise not_offered(f"{param}[{name}]")
    if ("price" in sent) == ("price_data" in sent):
        raise invalid(f"You must specify exactly one of `price` or `price_data` in `{param}`.", param=param)
    if "quantity" not in sent:
        raise invalid("Quantity is required. Add `quantity` to `line_items`.", param=f"{param}[quantity]")
    if sent["quantity"] < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            param=f"{param}[quantity]",
            code="parameter_invalid_integer",
        )
    if "price_data" in sent:
        if "recurring" in sent["price_data"]:
            raise _recurring(f"{param}[price_data][recurring]")
        price = inline_price(sandbox, sent["price_data"], f"{param}[price_data]")
    else:
        price = sandbox.get("price", sent["price"], param=f"{param}[price]")
        if price["type"] == "recurring":
            raise _recurring(f"{param}[price]")
        if not price["active"] or not sandbox.objects["product"][price["product"]]["active"]:
            raise invalid(
                f"The price specified is inactive. This field only accepts active prices: {price['id']}",
                param=f"{param}[price]",
            )
    return line_item(sandbox, price, sent["quantity"])


def _recurring(param: str) -> Exception:
    return invalid(
        "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only "
        "one-time prices.",
        param=param,
    )


ROUTES = (
    Route("POST", "/v1/checkout/sessions", SessionCreateParams, create),
    Route("GET", "/v1/checkout/sessions", SessionListParams, list_sessions),
    Route("GET", "/v1/checkout/sessions/{id}", SessionRetrieveParams, retrieve),
    Route("POST", "/v1/checkout/sessions/{id}", SessionUpdateParams, update),
    Route("POST", "/v1/checkout/sessions/{id}/expire", SessionExpireParams, expire),
    Route("GET", "/v1/checkout/sessions/{id}/line_items", SessionLineItemListParams, list_line_items),
)
