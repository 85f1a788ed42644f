"""The customer's side of a checkout session: paying, and what follows for the session. Also the Stripe CLI's path to
it."""

from typing import NotRequired, TypedDict

from billing_service.sandbox.engine.errors import Json, invalid, missing
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import customers, payments
from billing_service.sandbox.objects.checkout_objects import customer_details
from billing_service.sandbox.objects.payment_intents import METHOD_FILTERS, new_intent
from billing_service.sandbox.objects.payment_methods import resolve


class PaymentPageParams(TypedDict):
    """`GET /v1/payment_pages/{id}`, which only the Stripe CLI and Stripe's own page use."""

    expand: NotRequired[list[str]]


class PaymentPageConfirmParams(TypedDict):
    """`POST /v1/payment_pages/{id}/confirm`."""

    expand: NotRequired[list[str]]
    expected_amount: NotRequired[int]
    payment_method: NotRequired[str]


def pay(sandbox: Sandbox, session: Json, method: Json | None) -> None:
    """One attempt to pay an open session; `method` None only when there is nothing to pay.

    Raises ApiError 402 when the payment is declined (the session stays open), 400 when the session is not open.
    """
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.", code="checkout_session_not_open")
    if session["amount_total"] == 0:
        _take_customer(sandbox, session, None)
        _complete(sandbox, session, "no_payment_required")
        return
    if method is None:
        raise missing("payment_method")
    intent = _intent_of(sandbox, session)
    if intent["status"] == "requires_action":  # left the 3-D Secure step and came back with another card
        intent |= {"status": "requires_payment_method", "next_action": None}
    _take_customer(sandbox, session, method)
    payments.confirm(sandbox, intent, method)


def follow(sandbox: Sandbox, intent: Json) -> None:
    """What a change of a payment means for the session that it belongs to, if any."""
    session_id = sandbox.sessions_by_intent.get(intent["id"])
    if session_id is None:
        return
    session = sandbox.get("checkout.session", session_id)
    paid = intent["status"] == "succeeded"
    if session["status"] == "open":
        _complete(sandbox, session, "paid" if paid else "unpaid")
    elif paid:
        session["payment_status"] = "paid"
        if intent["capture_method"] != "manual":
            sandbox.emit("checkout.session.async_payment_succeeded", session)
    else:
        sandbox.emit("checkout.session.async_payment_failed", session)


def expire_if_open(sandbox: Sandbox, session: Json) -> None:
    if session["status"] != "open":
        return
    session |= {"status": "expired", "url": None}
    if session["payment_intent"] is not None:
        payments.cancel(sandbox, sandbox.get("payment_intent", session["payment_intent"]), "expired")
    sandbox.emit("checkout.session.expired", session)


def success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def cancel_url(session: Json) -> str | None:
    url: str | None = session["cancel_url"]
    return url and url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def payment_page(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("checkout.session", call.id)


def confirm_payment_page(sandbox: Sandbox, call: Call) -> Json:
    session = sandbox.get("checkout.session", call.id)
    if call.params.get("expected_amount", session["amount_total"]) != session["amount_total"]:
        raise invalid("The amount that the page showed is not the amount of the session.", param="expected_amount")
    method_id = call.params.get("payment_method")
    pay(sandbox, session, resolve(sandbox, method_id) if method_id else None)
    return session


def _intent_of(sandbox: Sandbox, session: Json) -> Json:
    """The session's payment intent, made on the first attempt from the session and its `payment_intent_data`."""
    if session["payment_intent"] is not None:
        return sandbox.get("payment_intent", session["payment_intent"])
    params = sandbox.payment_data[session["id"]] | {"amount": session["amount_total"], "currency": session["currency"]}
    params |= {"payment_method_types": session["payment_method_types"]}
    params |= {name: session[name] for name in METHOD_FILTERS[:2] if session[name] is not None}
    if session["customer"] is not None:
        params["customer"] = session["customer"]
    intent = new_intent(sandbox, params)
    session["payment_intent"] = intent["id"]
    sandbox.sessions_by_intent[intent["id"]] = session["id"]
    return intent


def _take_customer(sandbox: Sandbox, session: Json, method: Json | None) -> None:
    """What the page learned about the customer; a guest becomes a customer only where the session says so."""
    billing = method["billing_details"] if method else {"email": None, "name": None, "phone": None}
    known = session["customer_details"] or customer_details(email=None, name=None)
    session["customer_details"] = known | {
        "email": known["email"] or billing["email"],
        "name": billing["name"] or known["name"],
        "phone": known["phone"] or billing["phone"],
    }
    if session["customer"] is None and session["customer_creation"] == "always":
        details = session["customer_details"]
        session["customer"] = customers.guest(sandbox, email=details["email"], name=details["name"])["id"]
        if session["payment_intent"] is not None:
            sandbox.get("payment_intent", session["payment_intent"])["customer"] = session["customer"]


def _complete(sandbox: Sandbox, session: Json, payment_status: str) -> None:
    session |= {"status": "complete", "payment_status": payment_status, "url": None}
    sandbox.emit("checkout.session.completed", session)


ROUTES = (
    Route("GET", "/v1/payment_pages/{id}", PaymentPageParams, payment_page),
    Route("POST", "/v1/payment_pages/{id}/confirm", PaymentPageConfirmParams, confirm_payment_page),
)
