"""Objects of Stripe's as events hold them, with the metadata that this service puts on them."""

from billing_service.domain.deployment import MARK_FIELD
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.registry import BY_TYPE

ABSENT = object()
METADATA = {"purchase_id": "pur_1", "account_id": "acme", "refund_id": "ref_1", MARK_FIELD: "mark-of-ref_1"}
SESSION = {
    "id": "cs_1",
    "object": "checkout.session",
    "mode": "payment",
    "status": "complete",
    "payment_status": "paid",
    "payment_intent": "pi_1",
    "customer": "cus_1",
    "client_reference_id": "pur_1",
    "amount_subtotal": 4_500,
    "amount_total": 4_300,
    "total_details": {"amount_discount": 500, "amount_tax": 300, "amount_shipping": 0},
    "currency": "usd",
    "livemode": False,
    "metadata": METADATA,
}
PAYMENT_INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "amount": 4_500,
    "amount_received": 4_500,
    "currency": "usd",
    "customer": "cus_1",
    "latest_charge": "ch_1",
    "livemode": False,
    "metadata": METADATA,
}
CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "amount": 4_500,
    "amount_refunded": 500,
    "currency": "usd",
    "payment_intent": "pi_1",
    "livemode": False,
    "metadata": METADATA,
}
REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 500,
    "currency": "usd",
    "status": "pending",
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "metadata": METADATA,
}
CUSTOMER = {
    "id": "cus_1",
    "object": "customer",
    "email": "a@example.org",
    "name": "Ada",
    "livemode": False,
    "metadata": METADATA,
}

DISPUTE = {
    "id": "dp_1",
    "object": "dispute",
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "amount": 700,
    "currency": "usd",
    "status": "needs_response",
    "reason": "fraudulent",
    "balance_transactions": [{"id": "txn_1", "object": "balance_transaction", "amount": -700}],
    "evidence_details": {"due_by": 1_800_900_000},
    "livemode": False,
}
WARNING = {
    "id": "issfr_1",
    "object": "radar.early_fraud_warning",
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "livemode": False,
}

FAMILIES = {
    "checkout.session": SESSION,
    "payment_intent": PAYMENT_INTENT,
    "charge.refund.": REFUND,
    "charge.refunded": CHARGE,
    "refund.": REFUND,
    "charge.dispute": DISPUTE,
    "radar.early_fraud_warning": WARNING,
    "customer": CUSTOMER,
}
"""By how the names of their types begin."""
CREATED_US = 1_700_000_000_000_000


def object_of(event_type):
    return next(about for begins, about in FAMILIES.items() if event_type.startswith(begins))


def envelope(event_type, about, **changes):
    about = {name: value for name, value in {**about, **changes}.items() if value is not ABSENT}
    return Envelope("evt_1", event_type, False, CREATED_US, is_connected=False, object=about)


def read(event_type, about, **changes):
    """The object of an event, as its family reads it."""
    return BY_TYPE[event_type].read(envelope(event_type, about, **changes))
