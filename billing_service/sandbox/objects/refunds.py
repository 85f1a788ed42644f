"""Refunds: at once for cards, pending for debits and for the card that plays it, failing later where asked."""

from stripe.params import (
    RefundCancelParams,
    RefundCreateParams,
    RefundListParams,
    RefundRetrieveParams,
    RefundUpdateParams,
)

from billing_service.sandbox.engine import metadata
from billing_service.sandbox.engine.errors import Json, invalid, no_such, not_offered
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.money import check_step, shown
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id
from billing_service.sandbox.objects.charges import book

PLAYED = frozenset({"amount", "charge", "expand", "instructions_email", "metadata", "payment_intent", "reason"})
SETTLEABLE = {
    "pending": frozenset({"succeeded", "failed", "requires_action", "canceled"}),
    "requires_action": frozenset({"succeeded", "failed", "canceled"}),
    "succeeded": frozenset({"failed"}),
}


def create(sandbox: Sandbox, call: Call) -> Json:
    params = call.params
    for name in params:
        if name not in PLAYED:
            raise not_offered(name)
    charge = _charge_of(sandbox, params)
    amount = _amount_of(charge, params)
    course = sandbox.behaviours[charge["payment_method"]].refund
    pending = course == "pends"
    refund: Json = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": sandbox.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": _destination(charge),
        "metadata": metadata.fresh(params),
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    if pending:
        refund["pending_reason"] = "processing"
    sandbox.add(refund)
    refund["balance_transaction"] = book(sandbox, refund, "refund", -amount)
    _move(charge, amount)
    sandbox.emit("refund.created", refund)
    sandbox.emit("charge.refunded", charge)
    delay_s = sandbox.settles_after_s()
    if delay_s is not None and course != "succeeds":
        outcome = "succeeded" if pending else "failed"
        sandbox.later(delay_s, lambda: _settle_once(sandbox, refund, outcome))
    return refund


def settle(sandbox: Sandbox, refund: Json, status: str, *, reason: str = "unknown") -> None:
    """What the bank says later: succeeded, failed, canceled, or requires_action. Raises ApiError 400 for a step that
    can't happen."""
    if status not in SETTLEABLE.get(refund["status"], frozenset()):
        raise invalid(f"This refund is {refund['status']} and can't become {status}.", param="status")
    changes: Json = {"status": status}
    refund.pop("pending_reason", None)
    charge = sandbox.get("charge", refund["charge"])
    if status == "failed":
        changes |= {
            "failure_balance_transaction": book(sandbox, refund, "refund_failure", refund["amount"]),
            "failure_reason": reason,
        }
    if status in {"failed", "canceled"}:
        _move(charge, -refund["amount"])
    previous = sandbox.update(refund, changes)
    sandbox.emit("refund.updated", refund, previous={"status": previous["status"]})
    sandbox.emit("charge.refund.updated", refund, previous={"status": previous["status"]})
    if status == "failed":
        sandbox.emit("refund.failed", refund)


def update(sandbox: Sandbox, call: Call) -> Json:
    refund = sandbox.get("refund", call.id)
    if "metadata" not in call.params:
        return refund
    previous = sandbox.update(refund, {"metadata": metadata.merged(refund["metadata"], call.params["metadata"])})
    if previous:
        sandbox.emit("refund.updated", refund, previous=previous)
        sandbox.emit("charge.refund.updated", refund, previous=previous)
    return refund


def cancel(sandbox: Sandbox, call: Call) -> Json:
    refund = sandbox.get("refund", call.id)
    if refund["status"] != "requires_action":
        raise invalid(f"Only refunds with status requires_action can be canceled; this one is {refund['status']}.")
    settle(sandbox, refund, "canceled")
    return refund


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("refund", call.id)


def list_refunds(sandbox: Sandbox, call: Call) -> Json:
    return page(
        sandbox.newest_first("refund"), call.params, "/v1/refunds", matches(call.params, "charge", "payment_intent")
    )


def _settle_once(sandbox: Sandbox, refund: Json, status: str) -> None:
    if status in SETTLEABLE.get(refund["status"], frozenset()):  # a control call may have settled it before
        settle(sandbox, refund, status)


def _charge_of(sandbox: Sandbox, params: Json) -> Json:
    if "charge" not in params and "payment_intent" not in params:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    if "payment_intent" in params:
        intent = sandbox.get("payment_intent", params["payment_intent"], param="payment_intent")
        charge = sandbox.objects["charge"].get(intent["latest_charge"])
        if charge is None or charge["status"] != "succeeded":
            raise invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        if params.get("charge", charge["id"]) != charge["id"]:
            raise no_such("charge", params["charge"], "charge")
    else:
        charge = sandbox.get("charge", params["charge"], param="charge")
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid(f"Charge {charge['id']} can't be refunded: it was not captured.", param="charge")
    disputed = (each for each in sandbox.newest_first("dispute") if each["charge"] == charge["id"])
    if any(each["status"] != "won" and not each["is_charge_refundable"] for each in disputed):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    return charge


def _amount_of(charge: Json, params: Json) -> int:
    left: int = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount: int = params.get("amount", left)
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param="amount", code="parameter_invalid_integer"
        )
    currency = charge["currency"]
    check_step(amount, currency)
    if amount > left:
        raise invalid(
            f"Refund amount ({shown(amount, currency)}) is greater than unrefunded amount on charge "
            f"({shown(left, currency)})",
            param="amount",
        )
    return amount


def _move(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def _destination(charge: Json) -> Json:
    kind = charge["payment_method_details"]["type"]
    if kind != "card":
        return {"type": kind, kind: {}}
    return {
        "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
        "type": "card",
    }


ROUTES = (
    Route("POST", "/v1/refunds", RefundCreateParams, create),
    Route("GET", "/v1/refunds", RefundListParams, list_refunds),
    Route("GET", "/v1/refunds/{id}", RefundRetrieveParams, retrieve),
    Route("POST", "/v1/refunds/{id}", RefundUpdateParams, update),
    Route("POST", "/v1/refunds/{id}/cancel", RefundCancelParams, cancel),
)
