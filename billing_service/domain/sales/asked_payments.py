"""Payments that a purchase asked for itself: what each status means, and whether one is as it was asked for."""

from typing import Final

from billing_service.domain.sales.purchases import (
    Difference,
    Mismatch,
    PaymentReport,
    PurchaseSnapshot,
    PurchaseUpdate,
)

SUCCEEDED: Final = "succeeded"


def payment_update(status: str, *, has_failed: bool, was_promised: bool) -> PurchaseUpdate | None:
    """What a payment as it is now means for its purchase; None where the customer may still pay.

    A card that is declined leaves the purchase as it is: another one may be tried on the same payment. Money that was
    promised and did not come ends it. Stripe's payment goes back to `requires_payment_method` in both cases.
    """
    match status:
        case "succeeded":
            return PurchaseUpdate.PAID
        case "processing":
            return PurchaseUpdate.FUNDS_PROMISED
        case "canceled":
            return PurchaseUpdate.CHECKOUT_EXPIRED
        case "requires_payment_method" if has_failed and was_promised:
            return PurchaseUpdate.PAYMENT_FAILED
        case _:
            return None


def check_asked_payment(
    snapshot: PurchaseSnapshot, report: PaymentReport, *, livemode: bool | None, livemode_expected: bool
) -> Mismatch | None:
    """None when a payment that a purchase asked for itself is as it was asked for, else everything that differs."""
    expected_actual = (
        ("livemode", livemode_expected, livemode),
        ("purchase_id", snapshot.purchase_id, report.purchase_id),
        ("account_id", snapshot.account_id, report.account_id),
        ("currency", snapshot.currency, report.currency),
        ("amount", snapshot.amount_minor, report.amount_minor),
    )
    differences = [
        Difference(field, str(expected), str(actual))
        for field, expected, actual in expected_actual
        if expected != actual
    ]
    return Mismatch(tuple(differences)) if differences else None
