"""Objects of Stripe's inside events, as far as the product reads them."""

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from tests.support.doubles import DEPLOYMENT


def metadata(checkout):
    """What the product put on a checkout and its payment."""
    mark = DEPLOYMENT.mark(MarkKind.PURCHASE, checkout.purchase_id)
    return {"purchase_id": checkout.purchase_id, "account_id": checkout.account_id, MARK_FIELD: mark}


def session(checkout, **changes):
    """A checkout session, paid unless told otherwise."""
    return {
        "id": checkout.session_id,
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": f"pi_{checkout.session_id}",
        "customer": checkout.customer_id,
        "client_reference_id": checkout.purchase_id,
        "metadata": metadata(checkout),
        "amount_subtotal": checkout.amount_subtotal_minor,
        "amount_total": checkout.amount_total_minor,
        "total_details": {"amount_discount": 0, "amount_tax": 0},
        "currency": checkout.currency,
        "livemode": False,
        **changes,
    }


def payment_intent(checkout):
    return {
        "id": f"pi_{checkout.session_id}",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": checkout.amount_total_minor,
        "amount_received": checkout.amount_total_minor,
        "currency": checkout.currency,
        "metadata": metadata(checkout),
        "livemode": False,
    }


def refund(sent):
    return {
        "id": sent.stripe_refund_id,
        "object": "refund",
        "payment_intent": sent.payment_intent_id,
        "amount": sent.amount_minor,
        "currency": sent.currency,
        "status": sent.status,
        "metadata": {},
    }


def dispute(checkout, *moved):
    """`moved`: amounts of the entries of Stripe's balance."""
    dispute_id = f"dp_{checkout.session_id}"
    return {
        "id": dispute_id,
        "object": "dispute",
        "payment_intent": f"pi_{checkout.session_id}",
        "amount": checkout.amount_total_minor,
        "currency": checkout.currency,
        "status": "needs_response",
        "balance_transactions": [
            {"id": f"txn_{dispute_id}{place}", "object": "balance_transaction", "amount": amount}
            for place, amount in enumerate(moved)
        ],
    }


def charge(checkout, refunded_minor):
    return {
        "id": f"ch_{checkout.session_id}",
        "object": "charge",
        "payment_intent": f"pi_{checkout.session_id}",
        "amount": checkout.amount_total_minor,
        "amount_refunded": refunded_minor,
        "currency": checkout.currency,
        "metadata": {},
        "livemode": False,
    }


def customer(customer_id, account_id, email):
    return {
        "id": customer_id,
        "object": "customer",
        "email": email,
        "name": "Ada",
        "metadata": {"account_id": account_id},
    }
