"""Payment intents, as the API offers them."""

from stripe.params import (
    PaymentIntentCancelParams,
    PaymentIntentCaptureParams,
    PaymentIntentConfirmParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    PaymentIntentRetrieveParams,
    PaymentIntentUpdateParams,
)

from billing_service.sandbox.engine import metadata
from billing_service.sandbox.engine.errors import Json, invalid, missing, not_offered
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.money import check_charge, currency_of
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id
from billing_service.sandbox.objects import payments
from billing_service.sandbox.objects.payment_methods import resolve

PLAIN = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
METHOD_FILTERS = ("allowed_payment_method_types", "excluded_payment_method_types", "payment_method_types")
CONFIRMING = frozenset(
    {"confirm", "error_on_requires_action", "expand", "mandate_data", "off_session", "payment_method", "return_url"}
)
CREATABLE = CONFIRMING | {
    *PLAIN,
    *METHOD_FILTERS,
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "currency",
    "customer",
    "metadata",
}
UPDATABLE = frozenset({*PLAIN, "amount", "customer", "expand", "metadata", "payment_method"})
CONFIRMABLE_STATES = frozenset({"requires_payment_method", "requires_confirmation"})
CANCELABLE_STATES = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
CARD_OPTIONS = {
    "installments": None,
    "mandate_options": None,
    "network": None,
    "request_three_d_secure": "automatic",
}
DEBITS_BY_CURRENCY = {"usd": "us_bank_account", "eur": "sepa_debit"}


def method_types(params: Json, currency: str) -> list[str]:
    """What a customer can pay with: card and the currency's bank debit, as far as the caller allows."""
    if "payment_method_types" in params:
        return list(params["payment_method_types"])
    if "allowed_payment_method_types" in params and "excluded_payment_method_types" in params:
        raise invalid(
            "You may only specify one of these parameters: allowed_payment_method_types, excluded_payment_method_types."
        )
    offered = ["card"] + ([DEBITS_BY_CURRENCY[currency]] if currency in DEBITS_BY_CURRENCY else [])
    allowed = params.get("allowed_payment_method_types", offered)
    excluded = params.get("excluded_payment_method_types", [])
    left = [kind for kind in offered if kind in allowed and kind not in excluded]
    if not left:
        raise invalid(
            f"No payment method types are left; for {currency} there are: {', '.join(offered)}.",
            param="allowed_payment_method_types",
        )
    return left


def new_intent(sandbox: Sandbox, params: Json) -> Json:
    """An intent that nothing was tried on yet. `params` are those of the API, already checked; emits
    payment_intent.created."""
    intent_id = new_id("pi")
    legacy = "payment_method_types" in params
    intent: Json = {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None
        if legacy
        else {"allow_redirects": "always", "enabled": True} | params.get("automatic_payment_methods", {}),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_secret_{new_id('', 25)[1:]}",
        "confirmation_method": "automatic",
        "created": sandbox.now(),
        "currency": params["currency"],
        "customer": params.get("customer"),
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata.fresh(params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None if legacy else {"id": "pmc_sandbox", "parent": None},
        "payment_method_options": {"card": dict(CARD_OPTIONS)},
        "payment_method_types": method_types(params, params["currency"]),
        "processing": None,
        "review": None,
        "source": None,
        "status": "requires_payment_method",
        "transfer_data": None,
    }
    sandbox.add(intent | {name: params.get(name) for name in PLAIN})
    sandbox.emit("payment_intent.created", sandbox.objects["payment_intent"][intent_id])
    return sandbox.objects["payment_intent"][intent_id]


def create(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    _refuse_unplayed(params, CREATABLE)
    currency = currency_of(params["currency"])
    check_charge(params["amount"], currency)
    if "customer" in params:
        sandbox.customer(params["customer"], param="customer")
    if not params.get("confirm"):
        for name in ("off_session", "error_on_requires_action"):
            if name in params:
                raise invalid(f"You cannot set `{name}` without `confirm`.", param=name)
    method = resolve(sandbox, params["payment_method"]) if "payment_method" in params else None
    intent = new_intent(sandbox, params | {"currency": currency})
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return _confirm(sandbox, intent, params) if params.get("confirm") else intent


def confirm(sandbox: Sandbox, call: Call) -> Json:
    intent = _entrusted(sandbox, call)
    _refuse_unplayed(call.params, CONFIRMING)
    return _confirm(sandbox, intent, call.params)


def update(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    intent = sandbox.get("payment_intent", call.id)
    _refuse_unplayed(params, UPDATABLE)
    if "amount" in params and intent["status"] not in CONFIRMABLE_STATES:
        raise _unexpected_state("update the amount of", intent, tuple(sorted(CONFIRMABLE_STATES)))
    changes = call.chosen(*PLAIN)
    if "amount" in params:
        check_charge(params["amount"], intent["currency"])
        changes["amount"] = params["amount"]
    if "customer" in params:
        changes["customer"] = sandbox.customer(params["customer"], param="customer")["id"]
    if "payment_method" in params:
        changes |= {
            "payment_method": resolve(sandbox, params["payment_method"])["id"],
            "status": "requires_confirmation",
        }
    if "metadata" in params:
        changes["metadata"] = metadata.merged(intent["metadata"], params["metadata"])
    sandbox.update(intent, changes)
    return intent


def cancel(sandbox: Sandbox, call: Call) -> Json:
    intent = sandbox.get("payment_intent", call.id)
    if intent["id"] in sandbox.sessions_by_intent:
        raise invalid(
            "You cannot cancel a PaymentIntent created by a Checkout Session. Expire the Checkout Session instead.",
            code="payment_intent_unexpected_state",
        )
    if intent["status"] not in CANCELABLE_STATES:
        raise _unexpected_state("cancel", intent, CANCELABLE_STATES)
    payments.cancel(sandbox, intent, call.params.get("cancellation_reason"))
    return intent


def capture(sandbox: Sandbox, call: Call) -> Json:
    intent = sandbox.get("payment_intent", call.id)
    for name in call.params:
        if name not in {"amount_to_capture", "expand"}:
            raise not_offered(name)
    if call.params.get("amount_to_capture", intent["amount"]) != intent["amount"]:
        raise not_offered("amount_to_capture")
    payments.capture(sandbox, intent)
    return intent


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return _entrusted(sandbox, call)


def _entrusted(sandbox: Sandbox, call: Call) -> Json:
    """The intent; to a customer's page only by its secret. Raises ApiError 400."""
    intent = sandbox.get("payment_intent", call.id)
    if call.is_public and not call.client_secret:
        raise missing("client_secret")
    if call.client_secret and call.client_secret != intent["client_secret"]:
        raise invalid(
            "The client_secret provided does not match any associated PaymentIntent on this account.",
            param="client_secret",
            code="payment_intent_invalid_parameter",
        )
    return intent


def list_intents(sandbox: Sandbox, call: Call) -> Json:
    return page(
        sandbox.newest_first("payment_intent"), call.params, "/v1/payment_intents", matches(call.params, "customer")
    )


def _confirm(sandbox: Sandbox, intent: Json, params: Json) -> Json:
    if intent["status"] not in CONFIRMABLE_STATES:
        raise _unexpected_state("confirm", intent, tuple(sorted(CONFIRMABLE_STATES)))
    method_id = params.get("payment_method") or intent["payment_method"]
    if method_id is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a "
            "payment method and then confirm it again, or confirm it again directly with a payment method or "
            "ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    _require_return_url(intent, params)
    method = resolve(
        sandbox, intent["payment_method"] if intent["payment_method"] and "payment_method" not in params else method_id
    )
    if method["customer"] is not None and method["customer"] != intent["customer"]:
        raise invalid(
            "The PaymentMethod belongs to another Customer; pass that customer in the PaymentIntent.",
            param="payment_method",
        )
    if params.get("error_on_requires_action") and sandbox.behaviours[method["id"]].authenticates:
        raise invalid("This payment required an authentication action to complete.", code="authentication_required")
    if "return_url" in params:
        sandbox.return_urls[intent["id"]] = params["return_url"]
    payments.confirm(sandbox, intent, method, off_session=bool(params.get("off_session")))
    return intent


def _require_return_url(intent: Json, params: Json) -> None:
    """Unrestricted intents may redirect, so Stripe wants to know where to come back to."""
    automatic = intent["automatic_payment_methods"]
    unrestricted = (
        automatic is not None
        and automatic["allow_redirects"] == "always"
        and not intent["allowed_payment_method_types"]
    )
    if unrestricted and "return_url" not in params:
        raise invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
            "these payment methods might "
            "redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept "
            "redirect-based payment "
            "methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never`.",
            param="return_url",
        )


def _unexpected_state(verb: str, intent: Json, allowed: tuple[str, ...]) -> Exception:
    return invalid(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of the following statuses allows that: {', '.join(allowed)}.",
        code="payment_intent_unexpected_state",
    )


def _refuse_unplayed(params: Json, played: frozenset[str]) -> None:
    for name in params:
        if name not in played:
            raise not_offered(name)


ROUTES = (
    Route("POST", "/v1/payment_intents", PaymentIntentCreateParams, create),
    Route("GET", "/v1/payment_intents", PaymentIntentListParams, list_intents),
    Route("GET", "/v1/payment_intents/{id}", PaymentIntentRetrieveParams, retrieve, is_public=True),
    Route("POST", "/v1/payment_intents/{id}", PaymentIntentUpdateParams, update),
    Route("POST", "/v1/payment_intents/{id}/confirm", PaymentIntentConfirmParams, confirm, is_public=True),
    Route("POST", "/v1/payment_intents/{id}/cancel", PaymentIntentCancelParams, cancel),
    Route("POST", "/v1/payment_intents/{id}/capture", PaymentIntentCaptureParams, capture),
)
