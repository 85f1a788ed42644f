"""Payment methods: cards by number, token or Stripe's ready-made ids, and bank debits."""

import hashlib
from datetime import UTC, datetime

from stripe.params import (
    CustomerPaymentMethodListParams,
    PaymentMethodAttachParams,
    PaymentMethodCreateParams,
    PaymentMethodDetachParams,
    PaymentMethodListParams,
    PaymentMethodRetrieveParams,
)

from billing_service.sandbox.engine import metadata
from billing_service.sandbox.engine.cards import (
    FAILING_BANK_ACCOUNTS,
    FAILING_IBANS,
    NUMBERS_BY_TOKEN,
    Behaviour,
    behaviour_of,
    brand_of,
    passes_luhn,
)
from billing_service.sandbox.engine.errors import ApiError, Json, invalid, missing, no_such, not_offered
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id

CARD_PREFIX = "pm_card_"
READY_MADE_DEBITS = {
    "pm_usBankAccount_success": False,
    "pm_usBankAccount_debitNotAuthorized": True,
    "pm_usBankAccount_insufficientFunds": True,
}
NUMBER_LENGTH = range(12, 20)
CVC_LENGTH = range(3, 5)


def card_error(message: str, code: str, param: str) -> ApiError:
    return ApiError(402, message, kind="card_error", code=code, param=param)


def create(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    kind = params.get("type")
    if kind is None:
        raise missing("type")
    if kind not in {"card", "us_bank_account", "sepa_debit"}:
        raise not_offered(f"type={kind}")
    if kind not in params:
        raise missing(kind)
    method = from_card(sandbox, params["card"]) if kind == "card" else from_bank(sandbox, kind, params[kind])
    method["billing_details"] = billing_details(params.get("billing_details", {}))
    method["metadata"] = metadata.fresh(params)
    return method


def from_card(sandbox: Sandbox, card: Json) -> Json:
    """A payment method from `number`, `exp_month`, `exp_year`, `cvc`, or a test `token`. Raises ApiError 402 for a bad
    card."""
    if "token" in card:
        name = card["token"].removeprefix("tok_")
        if name not in NUMBERS_BY_TOKEN:
            raise no_such("token", card["token"], "card[token]")
        return _ready_made_card(sandbox, name)
    for member in ("number", "exp_month", "exp_year"):
        if member not in card:
            raise missing(f"card[{member}]")
    number = card["number"].replace(" ", "")
    if not number.isdigit() or len(number) not in NUMBER_LENGTH or not passes_luhn(number):
        raise card_error("Your card number is incorrect.", "incorrect_number", "number")
    today = datetime.fromtimestamp(sandbox.now(), UTC)
    if not 1 <= card["exp_month"] <= 12:  # noqa: PLR2004 - months of a year
        raise card_error("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month")
    if card["exp_year"] < today.year or card["exp_year"] > today.year + 50:
        raise card_error("Your card's expiration year is invalid.", "invalid_expiry_year", "exp_year")
    if (card["exp_year"], card["exp_month"]) < (today.year, today.month):
        raise card_error("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month")
    if "cvc" in card and not (card["cvc"].isdigit() and len(card["cvc"]) in CVC_LENGTH):
        raise card_error("Your card's security code is invalid.", "invalid_cvc", "cvc")
    return _add_card(sandbox, number, card["exp_month"], card["exp_year"])


def from_bank(sandbox: Sandbox, kind: str, account: Json) -> Json:
    """A bank debit: the money arrives later, or fails to, by Stripe's test account numbers."""
    if kind == "sepa_debit":
        number = account["iban"].replace(" ", "")
        fails = number in FAILING_IBANS
        details = {"bank_code": number[4:9], "branch_code": "", "country": number[:2], "generated_from": None}
    else:
        number = account.get("account_number", "")
        fails = number in FAILING_BANK_ACCOUNTS
        details = {
            "account_type": account.get("account_type", "checking"),
            "bank_name": "STRIPE TEST BANK",
            "networks": None,
        }
    return add_bank(
        sandbox, kind, fails=fails, details=details | {"last4": number[-4:], "fingerprint": _fingerprint(number)}
    )


def add_bank(sandbox: Sandbox, kind: str, *, fails: bool, details: Json) -> Json:
    behaviour = Behaviour(delayed=True, fails_later=fails, refund="pends")
    return _add(sandbox, kind, details, behaviour)


def resolve(sandbox: Sandbox, method_id: str, param: str = "payment_method") -> Json:
    """The payment method named; Stripe's ready-made ids (`pm_card_visa` …) make a new one. Raises ApiError 404."""
    found = sandbox.objects["payment_method"].get(method_id)
    if found is not None:
        return found
    if method_id.startswith(CARD_PREFIX) and method_id.removeprefix(CARD_PREFIX) in NUMBERS_BY_TOKEN:
        return _ready_made_card(sandbox, method_id.removeprefix(CARD_PREFIX))
    if method_id in READY_MADE_DEBITS:
        return add_bank(sandbox, "us_bank_account", fails=READY_MADE_DEBITS[method_id], details={"last4": "6789"})
    raise no_such("PaymentMethod", method_id, param)


def attach_to(sandbox: Sandbox, method: Json, customer_id: str) -> Json:
    if method["customer"] not in {None, customer_id}:
        raise invalid(
            "The payment method you provided has already been attached to a customer.", param="payment_method"
        )
    if method["customer"] is None:
        method["customer"] = customer_id
        sandbox.emit("payment_method.attached", method)
    return method


def attach(sandbox: Sandbox, call: Call) -> Json:
    if "customer" not in call.params:
        raise missing("customer")
    method = resolve(sandbox, call.id)
    return attach_to(sandbox, method, sandbox.customer(call.params["customer"], param="customer")["id"])


def detach(sandbox: Sandbox, call: Call) -> Json:
    method = sandbox.get("payment_method", call.id)
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    previous = sandbox.update(method, {"customer": None})
    sandbox.emit("payment_method.detached", method, previous=previous)
    return method


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("payment_method", call.id)


def list_methods(sandbox: Sandbox, call: Call) -> Json:
    return page(
        sandbox.newest_first("payment_method"),
        call.params,
        "/v1/payment_methods",
        matches(call.params, "customer", "type"),
    )


def list_of_customer(sandbox: Sandbox, call: Call) -> Json:
    customer = sandbox.customer(call.id)["id"]
    kept = matches(call.params | {"customer": customer}, "customer", "type")
    return page(sandbox.newest_first("payment_method"), call.params, f"/v1/customers/{customer}/payment_methods", kept)


def billing_details(sent: Json) -> Json:
    address: Json = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    blank: Json = {"address": address, "email": None, "name": None, "phone": None, "tax_id": None}
    return (
        blank
        | {name: value if value != "" else None for name, value in sent.items()}
        | {"address": address | (sent.get("address") or {})}
    )


def _ready_made_card(sandbox: Sandbox, name: str) -> Json:
    return _add_card(sandbox, NUMBERS_BY_TOKEN[name], 12, datetime.fromtimestamp(sandbox.now(), UTC).year + 1)


def _add_card(sandbox: Sandbox, number: str, exp_month: int, exp_year: int) -> Json:
    brand = brand_of(number)
    details: Json = {
        "brand": brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": _fingerprint(number),
        "funding": "credit",
        "generated_from": None,
        "last4": number[-4:],
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return _add(sandbox, "card", details, behaviour_of(number))


def _add(sandbox: Sandbox, kind: str, details: Json, behaviour: Behaviour) -> Json:
    method: Json = {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details({}),
        kind: details,
        "created": sandbox.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }
    sandbox.behaviours[method["id"]] = behaviour
    return sandbox.add(method)


def _fingerprint(number: str) -> str:
    """Equal for equal numbers, telling nothing of them."""
    return hashlib.sha256(number.encode()).hexdigest()[:16]


ROUTES = (
    Route("POST", "/v1/payment_methods", PaymentMethodCreateParams, create),
    Route("GET", "/v1/payment_methods", PaymentMethodListParams, list_methods),
    Route("GET", "/v1/payment_methods/{id}", PaymentMethodRetrieveParams, retrieve),
    Route("POST", "/v1/payment_methods/{id}/attach", PaymentMethodAttachParams, attach),
    Route("POST", "/v1/payment_methods/{id}/detach", PaymentMethodDetachParams, detach),
    Route("GET", "/v1/customers/{id}/payment_methods", CustomerPaymentMethodListParams, list_of_customer),
)
