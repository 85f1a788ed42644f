"""Stripe's Checkout Session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "checkout.session"
MONEY: Final = (
    "payment_intent_id",
    "amount_subtotal_minor",
    "amount_total_minor",
    "amount_discount_minor",
    "amount_tax_minor",
    "amount_shipping_minor",
    "currency",
)
"""The fields that say what was paid, and by what."""


@dataclass(frozen=True, slots=True)
class CheckoutSession(StripeObject):
    """A page on which a customer pays; fits `domain.sales.purchases.CheckoutReport`."""

    session_id: str
    purchase_id: str | None
    """None unless metadata and client_reference_id name the same purchase."""
    account_id: str | None
    customer_id: str | None
    mode: str
    url: str
    """Empty once the page is no longer open."""
    status: str
    """open · complete · expired"""
    payment_status: str
    """unpaid · paid · no_payment_required"""
    payment_intent_id: str | None
    """Known once the customer pays; never for a free checkout."""
    expire_time_us: int | None
    amount_subtotal_minor: int | None
    amount_total_minor: int | None
    amount_discount_minor: int
    amount_tax_minor: int
    currency: str | None
    livemode: bool | None
    amount_shipping_minor: int = 0


def read_checkout_session(values: Mapping[str, Any]) -> CheckoutSession:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    in_metadata, in_reference = fields.metadata_text("purchase_id"), fields.own_text("client_reference_id")
    if in_metadata != in_reference:
        fields.faults["purchase_id"] = "metadata.purchase_id and client_reference_id disagree"
    return CheckoutSession(
        session_id=fields.word("session_id", "id"),
        purchase_id=in_metadata if in_metadata == in_reference else None,
        account_id=fields.metadata_text("account_id"),
        customer_id=fields.reference("customer_id", "customer"),
        mode=fields.word("mode"),
        url=fields.plain("url"),
        status=fields.word("status"),
        payment_status=fields.word("payment_status"),
        payment_intent_id=fields.reference("payment_intent_id", "payment_intent"),
        expire_time_us=fields.time_us("expire_time_us", "expires_at"),
        amount_subtotal_minor=fields.amount("amount_subtotal_minor", "amount_subtotal"),
        amount_total_minor=fields.amount("amount_total_minor", "amount_total"),
        amount_discount_minor=fields.part_amount("amount_discount_minor", "total_details", "amount_discount"),
        amount_tax_minor=fields.part_amount("amount_tax_minor", "total_details", "amount_tax"),
        amount_shipping_minor=fields.part_amount("amount_shipping_minor", "total_details", "amount_shipping"),
        currency=fields.currency(),
        livemode=fields.livemode(),
        faults=fields.faults,
    )
