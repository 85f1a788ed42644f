"""Sabotages of payments that a purchase asks for itself."""

from tests.mutants.sabotage import Sabotage

DOMAIN = "billing_service.domain.sales.asked_payments"
FAMILY = "billing_service.stripe_events.families.payment_intent"
STEP = "billing_service.commands.sales.payment_step"
CASES = "end_to_end/test_payment_intents.py"

PAYMENTS = (
    Sabotage(
        "a declined card ends a purchase",
        "P5",
        f"{DOMAIN}:payment_update",
        "has_failed and was_promised",
        "has_failed",
        (f"{CASES}::test_a_declined_card_may_be_followed_by_another",),
    ),
    Sabotage(
        "a payment's event counts and not how the payment stands",
        "P5",
        f"{FAMILY}:_follow",
        "told if told.status in FINAL else runs.payment(told.payment_intent_id)",
        "told",
        (f"{CASES}::test_events_in_any_order_end_alike",),
    ),
    Sabotage(
        "whatever was paid completes a purchase",
        "P30b",
        f"{FAMILY}:_follow",
        "if mismatch is not None:\n    return quarantined(str(mismatch))",
        "pass",
        ("stripe_events/test_asked_payments.py::test_another_payment_than_was_asked_for_is_alarmed",),
    ),
)
