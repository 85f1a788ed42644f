"""Disputes of charges and early fraud warnings, as the test cards for them bring them about after the payment."""

from typing import Final

from stripe.params import DisputeCloseParams, DisputeListParams, DisputeRetrieveParams, DisputeUpdateParams
from stripe.params.radar import EarlyFraudWarningListParams, EarlyFraudWarningRetrieveParams

from billing_service.sandbox.engine import metadata
from billing_service.sandbox.engine.cards import DisputeCourse
from billing_service.sandbox.engine.errors import Json, invalid, not_offered
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id
from billing_service.sandbox.objects.charges import book

PLAYED: Final = frozenset({"evidence", "expand", "metadata", "submit"})
EVIDENCE_CHARACTERS_MAX: Final = 20_000
"""Of one text."""
DUE_AFTER_S: Final = 9 * 86_400
FEE: Final = 1_500
ENDED: Final = frozenset({"won", "lost", "warning_closed"})


def follow(sandbox: Sandbox, charge: Json, course: DisputeCourse | None) -> None:
    """What the customer's bank does after a payment."""
    if course == "warning":
        warn(sandbox, charge)
    elif course is not None:
        begin(sandbox, charge, is_inquiry=course == "inquiry", reason=_REASONS[course])


def begin(sandbox: Sandbox, charge: Json, *, reason: str, is_inquiry: bool) -> Json:
    """A dispute of the whole charge. An inquiry takes no money."""
    dispute: Json = {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": sandbox.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": sandbox.now() + DUE_AFTER_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": "visa",
                "network_reason_code": "10",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }
    sandbox.add(dispute)
    charge["disputed"] = True
    sandbox.emit("charge.dispute.created", dispute)
    if not is_inquiry:
        _withdraw(sandbox, dispute)
    return dispute


def warn(sandbox: Sandbox, charge: Json) -> Json:
    warning = sandbox.add(
        {
            "id": new_id("issfr"),
            "object": "radar.early_fraud_warning",
            "actionable": True,
            "charge": charge["id"],
            "created": sandbox.now(),
            "fraud_type": "made_with_stolen_card",
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        }
    )
    sandbox.emit("radar.early_fraud_warning.created", warning)
    return warning


def end(sandbox: Sandbox, dispute: Json, *, won: bool) -> None:
    """What the bank decides. An inquiry is closed. Raises ApiError 400 where it has been decided."""
    if dispute["status"] in ENDED:
        raise invalid("This dispute is already closed")
    inquiry = dispute["status"].startswith("warning_")
    previous = sandbox.update(dispute, {"status": "warning_closed" if inquiry else "won" if won else "lost"})
    sandbox.emit("charge.dispute.closed", dispute, previous=previous)
    if won and not inquiry:
        _enter(sandbox, dispute, dispute["amount"], "dispute_reversal")
        sandbox.emit("charge.dispute.funds_reinstated", dispute)


def update(sandbox: Sandbox, call: Call) -> Json:
    """Evidence counts once it is submitted; three of Stripe's words in it say what the bank decides."""
    dispute = sandbox.get("dispute", call.id)
    for name in call.params:
        if name not in PLAYED:
            raise not_offered(name)
    if "metadata" in call.params:
        dispute["metadata"] = metadata.merged(dispute["metadata"], call.params["metadata"])
    evidence = call.params.get("evidence")
    if not isinstance(evidence, dict):
        return dispute
    for name, text in evidence.items():
        if isinstance(text, str) and len(text) > EVIDENCE_CHARACTERS_MAX:
            raise invalid(f"Invalid string: must be at most {EVIDENCE_CHARACTERS_MAX} characters", param=name)
    if dispute["status"] in ENDED:
        raise invalid("This dispute is already closed")
    details = dispute["evidence_details"] | {"has_evidence": True}
    changes: Json = {"evidence": dispute["evidence"] | evidence, "evidence_details": details}
    if not call.params.get("submit", True):
        dispute |= changes
        return dispute
    details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
    inquiry = dispute["status"].startswith("warning_")
    changes["status"] = "warning_under_review" if inquiry else "under_review"
    sandbox.emit("charge.dispute.updated", dispute, previous=sandbox.update(dispute, changes))
    _decide(sandbox, dispute, evidence.get("uncategorized_text"), inquiry=inquiry)
    return dispute


def close(sandbox: Sandbox, call: Call) -> Json:
    """The seller accepts the dispute."""
    dispute = sandbox.get("dispute", call.id)
    end(sandbox, dispute, won=False)
    return dispute


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("dispute", call.id)


def list_disputes(sandbox: Sandbox, call: Call) -> Json:
    rows = sandbox.newest_first("dispute")
    return page(rows, call.params, "/v1/disputes", matches(call.params, "charge", "payment_intent"))


def retrieve_warning(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("radar.early_fraud_warning", call.id)


def list_warnings(sandbox: Sandbox, call: Call) -> Json:
    rows = sandbox.newest_first("radar.early_fraud_warning")
    wanted = matches(call.params, "charge", "payment_intent")
    return page(rows, call.params, "/v1/radar/early_fraud_warnings", wanted)


_REASONS: Final = {
    "fraudulent": "fraudulent",
    "product_not_received": "product_not_received",
    "inquiry": "general",
}


def _decide(sandbox: Sandbox, dispute: Json, text: object, *, inquiry: bool) -> None:
    if text == "escalate_inquiry_evidence" and inquiry:
        changes: Json = {"status": "needs_response", "is_charge_refundable": False}
        dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
        sandbox.emit("charge.dispute.updated", dispute, previous=sandbox.update(dispute, changes))
        _withdraw(sandbox, dispute)
    elif text in ("winning_evidence", "losing_evidence"):
        end(sandbox, dispute, won=text == "winning_evidence")


def _withdraw(sandbox: Sandbox, dispute: Json) -> None:
    _enter(sandbox, dispute, -dispute["amount"], "dispute")
    sandbox.emit("charge.dispute.funds_withdrawn", dispute)


def _enter(sandbox: Sandbox, dispute: Json, amount: int, category: str) -> None:
    entry = sandbox.get("balance_transaction", book(sandbox, dispute, "adjustment", amount))
    fee = FEE if amount < 0 else 0
    entry |= {"reporting_category": category, "fee": fee, "net": amount - fee}
    dispute["balance_transactions"] = [*dispute["balance_transactions"], entry]


ROUTES = (
    Route("GET", "/v1/disputes", DisputeListParams, list_disputes),
    Route("GET", "/v1/disputes/{id}", DisputeRetrieveParams, retrieve),
    Route("POST", "/v1/disputes/{id}", DisputeUpdateParams, update),
    Route("POST", "/v1/disputes/{id}/close", DisputeCloseParams, close),
    Route("GET", "/v1/radar/early_fraud_warnings", EarlyFraudWarningListParams, list_warnings),
    Route("GET", "/v1/radar/early_fraud_warnings/{id}", EarlyFraudWarningRetrieveParams, retrieve_warning),
)
