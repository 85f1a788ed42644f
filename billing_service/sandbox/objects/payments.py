"""How a payment goes: the bank is asked, 3-D Secure is passed or failed, delayed money arrives or doesn't."""

from billing_service.sandbox.engine.cards import AUTHENTICATION_REQUIRED, Behaviour, Decline
from billing_service.sandbox.engine.errors import DOCUMENTATION_URL, ApiError, Json, invalid
from billing_service.sandbox.engine.store import Sandbox
from billing_service.sandbox.objects import disputes
from billing_service.sandbox.objects.charges import book, new_charge
from billing_service.sandbox.objects.payment_methods import attach_to

AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)
DEBIT_FAILED = Decline(
    "payment_method_provider_decline", "The customer's bank could not collect this debit.", "insufficient_funds"
)


def confirm(sandbox: Sandbox, intent: Json, method: Json, *, off_session: bool = False) -> None:
    """One attempt to pay. Afterwards the intent is succeeded, processing, requires_action or requires_capture.

    Raises ApiError 402 when the card is declined; the attempt is then on record and the intent can be tried again.
    """
    if method["type"] not in intent["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. "
            f"Allowed: {', '.join(intent['payment_method_types'])}.",
            param="payment_method",
        )
    sandbox.update(intent, {"payment_method": method["id"], "last_payment_error": None, "next_action": None})
    behaviour = sandbox.behaviours[method["id"]]
    if behaviour.authenticates and off_session:
        raise _declined(sandbox, intent, method, AUTHENTICATION_REQUIRED)
    if behaviour.authenticates:
        redirect = {
            "return_url": sandbox.return_urls.get(intent["id"]),
            "url": f"{sandbox.base_url}/_sandbox/authenticate/{intent['id']}",
        }
        intent |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect}}
        sandbox.emit("payment_intent.requires_action", intent)
        return
    _ask_the_bank(sandbox, intent, method, behaviour)


def authenticate(sandbox: Sandbox, intent: Json, *, completed: bool) -> None:
    """The customer's answer to 3-D Secure; nothing when none is awaited, so that a second click is harmless.

    Raises ApiError 402 when authentication failed or the bank then declines.
    """
    if intent["status"] != "requires_action":
        return
    method = sandbox.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if not completed:
        raise _failed(sandbox, intent, method, AUTHENTICATION_FAILED, charge_id=None)
    _ask_the_bank(sandbox, intent, method, sandbox.behaviours[method["id"]])


def settle(sandbox: Sandbox, intent: Json, *, succeeded: bool) -> None:
    """A delayed payment arrives, or fails to. Raises ApiError 400 unless the intent is processing."""
    if intent["status"] != "processing":
        raise invalid(
            f"This PaymentIntent is {intent['status']}, not processing.", code="payment_intent_unexpected_state"
        )
    charge = sandbox.get("charge", intent["latest_charge"])
    if succeeded:
        charge |= {"status": "succeeded", "paid": True, "amount_captured": charge["amount"]}
        _succeed(sandbox, intent, charge)
        return
    charge |= {
        "status": "failed",
        "captured": False,
        "failure_code": DEBIT_FAILED.code,
        "failure_message": DEBIT_FAILED.message,
    }
    sandbox.emit("charge.failed", charge)
    _failed(
        sandbox, intent, sandbox.get("payment_method", intent["payment_method"]), DEBIT_FAILED, charge_id=charge["id"]
    )
    sandbox.intent_changed(intent)


def capture(sandbox: Sandbox, intent: Json) -> None:
    """Takes the whole amount of an authorised intent. Raises ApiError 400 unless it waits for that."""
    if intent["status"] != "requires_capture":
        raise invalid(
            f"This PaymentIntent could not be captured because it has a status of {intent['status']}. "
            "Only a PaymentIntent with one of the following statuses may be captured: requires_capture.",
            code="payment_intent_unexpected_state",
        )
    charge = sandbox.get("charge", intent["latest_charge"])
    charge |= {"captured": True, "amount_captured": charge["amount"]}
    charge["balance_transaction"] = book(sandbox, charge, "charge", charge["amount"])
    sandbox.emit("charge.captured", charge)
    _complete(sandbox, intent)


def cancel(sandbox: Sandbox, intent: Json, reason: str | None) -> None:
    intent |= {
        "status": "canceled",
        "canceled_at": sandbox.now(),
        "cancellation_reason": reason,
        "next_action": None,
        "amount_capturable": 0,
    }
    sandbox.emit("payment_intent.canceled", intent)


def _ask_the_bank(sandbox: Sandbox, intent: Json, method: Json, behaviour: Behaviour) -> None:
    if behaviour.decline is not None:
        raise _declined(sandbox, intent, method, behaviour.decline)
    if behaviour.delayed:
        _start_processing(sandbox, intent, method, behaviour)
    elif intent["capture_method"] == "manual":
        charge = new_charge(sandbox, intent, method, status="succeeded", captured=False)
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"], "latest_charge": charge["id"]}
        sandbox.emit("charge.succeeded", charge)
        sandbox.emit("payment_intent.amount_capturable_updated", intent)
        sandbox.intent_changed(intent)
    else:
        _succeed(sandbox, intent, new_charge(sandbox, intent, method, status="succeeded"))


def _start_processing(sandbox: Sandbox, intent: Json, method: Json, behaviour: Behaviour) -> None:
    charge = new_charge(sandbox, intent, method, status="pending")
    intent |= {"status": "processing", "latest_charge": charge["id"]}
    sandbox.emit("charge.pending", charge)
    sandbox.emit("payment_intent.processing", intent)
    sandbox.intent_changed(intent)
    delay_s = sandbox.settles_after_s()
    if delay_s is not None:
        sandbox.later(delay_s, lambda: _settle_once(sandbox, intent, succeeded=not behaviour.fails_later))


def _settle_once(sandbox: Sandbox, intent: Json, *, succeeded: bool) -> None:
    if intent["status"] == "processing":  # a control call may have settled it before
        settle(sandbox, intent, succeeded=succeeded)


def _succeed(sandbox: Sandbox, intent: Json, charge: Json) -> None:
    charge["balance_transaction"] = book(sandbox, charge, "charge", charge["amount"])
    intent["latest_charge"] = charge["id"]
    sandbox.emit("charge.succeeded", charge)
    _complete(sandbox, intent)


def _complete(sandbox: Sandbox, intent: Json) -> None:
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "amount_capturable": 0}
    if intent["setup_future_usage"] and intent["customer"]:
        attach_to(sandbox, sandbox.get("payment_method", intent["payment_method"]), intent["customer"])
    sandbox.emit("payment_intent.succeeded", intent)
    sandbox.intent_changed(intent)
    course = sandbox.behaviours[intent["payment_method"]].dispute
    disputes.follow(sandbox, sandbox.get("charge", intent["latest_charge"]), course)


def _declined(sandbox: Sandbox, intent: Json, method: Json, decline: Decline) -> ApiError:
    charge = new_charge(sandbox, intent, method, status="failed", decline=decline)
    intent["latest_charge"] = charge["id"]
    sandbox.emit("charge.failed", charge)
    return _failed(sandbox, intent, method, decline, charge_id=charge["id"])


def _failed(sandbox: Sandbox, intent: Json, method: Json, decline: Decline, *, charge_id: str | None) -> ApiError:
    """Puts the failed attempt on record; the refusal that the caller gets."""
    reason: Json = {"payment_method": method}
    if charge_id is not None:
        reason["charge"] = charge_id
    if decline.decline_code is not None:
        reason |= {"advice_code": "try_again_later", "decline_code": decline.decline_code, "network_decline_code": "01"}
    error: Json = {
        "code": decline.code,
        "doc_url": DOCUMENTATION_URL + decline.code.replace("_", "-"),
        "message": decline.message,
    }
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": error | reason | {"type": "card_error"},
    }
    sandbox.emit("payment_intent.payment_failed", intent)
    return ApiError(
        402,
        decline.message,
        kind="card_error",
        code=decline.code,
        param="",
        details=reason | {"payment_intent": intent},
    )
