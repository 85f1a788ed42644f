"""Charges and balance transactions: made by payments and refunds, read here."""

from stripe.params import (
    BalanceTransactionListParams,
    BalanceTransactionRetrieveParams,
    ChargeListParams,
    ChargeRetrieveParams,
)

from billing_service.sandbox.engine.cards import Decline
from billing_service.sandbox.engine.errors import Json
from billing_service.sandbox.engine.lists import matches, page
from billing_service.sandbox.engine.routes import Call, Route
from billing_service.sandbox.engine.store import Sandbox, new_id

# Stripe's usual United States card fee: 2.9 % + 30 cents.
FEE_PER_MILLE = 29
FEE_FIXED = 30

# As many of a charge's refunds as Stripe puts into the charge itself.
_REFUNDS_SHOWN = 10


def new_charge(
    sandbox: Sandbox, intent: Json, method: Json, *, status: str, decline: Decline | None = None, captured: bool = True
) -> Json:
    """A charge of the whole intent. `status`: succeeded, pending or failed; metadata is the intent's."""
    paid = status == "succeeded"
    amount: int = intent["amount"]
    return sandbox.add(
        _untouched()
        | {
            "id": new_id("ch"),
            "object": "charge",
            "amount": amount,
            "amount_captured": amount if paid and captured else 0,
            "amount_refunded": 0,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "captured": captured and status != "failed",
            "created": sandbox.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "failure_code": decline and decline.code,
            "failure_message": decline and decline.message,
            "metadata": dict(intent["metadata"]),
            "outcome": _outcome(decline),
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _method_details(method, amount),
            "receipt_email": intent["receipt_email"],
            "receipt_url": f"{sandbox.base_url}/_sandbox/success" if paid else None,
            "refunded": False,
            "shipping": intent["shipping"],
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": status,
            "transfer_group": intent["transfer_group"],
        }
    )


def book(sandbox: Sandbox, source: Json, kind: str, amount: int) -> str:
    """A balance transaction for `source`: `amount` is negative when money leaves. Returns its id."""
    fee = amount * FEE_PER_MILLE // 1000 + FEE_FIXED if kind == "charge" else 0
    entry: Json = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": sandbox.now(),
        "balance_type": "payments",
        "created": sandbox.now(),
        "currency": source["currency"],
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {
                "amount": fee,
                "application": None,
                "currency": source["currency"],
                "description": "Fees",
                "type": "stripe_fee",
            }
        ]
        if fee
        else [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source["id"],
        "status": "available",
        "type": kind,
    }
    return str(sandbox.add(entry)["id"])


def refunds_of(sandbox: Sandbox, charge: Json) -> Json:
    """The list that `expand[]=refunds` shows."""
    refunds = [refund for refund in sandbox.newest_first("refund") if refund["charge"] == charge["id"]]
    return {
        "object": "list",
        "data": refunds[:_REFUNDS_SHOWN],
        "has_more": len(refunds) > _REFUNDS_SHOWN,
        "url": f"/v1/charges/{charge['id']}/refunds",
    }


def retrieve(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("charge", call.id)


def list_charges(sandbox: Sandbox, call: Call) -> Json:
    return page(
        sandbox.newest_first("charge"), call.params, "/v1/charges", matches(call.params, "customer", "payment_intent")
    )


def retrieve_transaction(sandbox: Sandbox, call: Call) -> Json:
    return sandbox.get("balance_transaction", call.id)


def list_transactions(sandbox: Sandbox, call: Call) -> Json:
    rows = sandbox.newest_first("balance_transaction")
    return page(rows, call.params, "/v1/balance_transactions", matches(call.params, "currency", "source", "type"))


def _untouched() -> Json:
    """The members that this sandbox never gives another value."""
    return {
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "calculated_statement_descriptor": "SANDBOX",
        "destination": None,
        "dispute": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "fraud_details": {},
        "livemode": False,
        "on_behalf_of": None,
        "order": None,
        "radar_options": {},
        "receipt_number": None,
        "review": None,
        "source": None,
        "source_transfer": None,
        "transfer_data": None,
    }


def _outcome(decline: Decline | None) -> Json:
    return {
        "advice_code": decline and "try_again_later",
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": decline and (decline.decline_code or decline.code),
        "risk_level": "normal",
        "risk_score": 5,
        "seller_message": "The bank did not return any further details with this decline."
        if decline
        else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }


def _method_details(method: Json, amount: int) -> Json:
    kind: str = method["type"]
    details: Json = dict(method[kind])
    if kind == "card":
        for member in ("display_brand", "generated_from", "networks", "three_d_secure_usage"):
            del details[member]
        details |= {
            "amount_authorized": amount,
            "authorization_code": "123456",
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": details["brand"],
            "network_token": {"used": False},
            "network_transaction_id": "100000000000001",
            "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "three_d_secure": None,
        }
    return {kind: details, "type": kind}


ROUTES = (
    Route("GET", "/v1/charges", ChargeListParams, list_charges),
    Route("GET", "/v1/charges/{id}", ChargeRetrieveParams, retrieve),
    Route("GET", "/v1/balance_transactions", BalanceTransactionListParams, list_transactions),
    Route("GET", "/v1/balance_transactions/{id}", BalanceTransactionRetrieveParams, retrieve_transaction),
)
