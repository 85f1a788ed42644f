"""An order, a refund, and how Stripe answers them."""

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.ports.checkouts import CheckoutOrder
from billing_service.payments.ports.payments import PaymentOrder
from tests.payments.scripted_stripe import Reply

KEY = "sk_" + "test_" + "scripted"
ORDER = CheckoutOrder(
    purchase_id="pur_1",
    account_id="acme",
    customer_id="cus_1",
    name="Standard Pack",
    description="5,000 credits",
    amount_minor=4_500,
    currency="usd",
    success_url="https://app.example/ok?session={CHECKOUT_SESSION_ID}",
    cancel_url="https://app.example/no",
    expire_time_us=1_800_000_000_999_999,
    metadata={"order": "7", "purchase_id": "pur_forged", MARK_FIELD: "forged"},
    idempotency_key="checkout:pur_1",
    mark="mark-of-pur_1",
)
PAYMENT_ORDER = PaymentOrder(
    purchase_id="pur_1",
    account_id="acme",
    customer_id="cus_1",
    description="Standard Pack",
    amount_minor=4_500,
    currency="usd",
    metadata={"order": "7", "purchase_id": "pur_forged", "payment_flow": "forged", MARK_FIELD: "forged"},
    idempotency_key="payment:pur_1",
    mark="mark-of-pur_1",
)
SESSION = {
    "id": "cs_test_1",
    "object": "checkout.session",
    "mode": "payment",
    "status": "open",
    "payment_status": "unpaid",
    "amount_subtotal": 4_500,
    "amount_total": 4_500,
    "currency": "usd",
    "livemode": False,
    "expires_at": 1_800_000_000,
    "url": "https://pay.example/cs_test_1",
    "payment_intent": None,
    "customer": "cus_1",
    "client_reference_id": "pur_1",
    "metadata": {"purchase_id": "pur_1", "account_id": "acme"},
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
}
REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 500,
    "currency": "usd",
    "status": "succeeded",
    "payment_intent": "pi_1",
    "charge": "ch_1",
}
REFUND_ARGUMENTS = {
    "refund_id": "ref_1",
    "purchase_id": "pur_1",
    "account_id": "acme",
    "payment_intent_id": "pi_1",
    "amount_minor": 500,
    "mark": "mark-of-ref_1",
    "idempotency_key": "refund:ref_1",
}


def error_reply(status, *, headers=None, **error):
    return Reply({"error": {"message": "no", **error}}, status, headers or {})
