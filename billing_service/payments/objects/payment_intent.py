"""Stripe's PaymentIntent: one payment, over all its attempts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "payment_intent"


@dataclass(frozen=True, slots=True)
class PaymentIntent(StripeObject):
    """A payment; ids of ours are what its metadata name."""

    payment_intent_id: str
    purchase_id: str | None
    account_id: str | None
    amount_minor: int | None
    """What was received; where Stripe does not say, what was asked for."""
    currency: str | None
    livemode: bool | None


def read_payment_intent(values: Mapping[str, Any]) -> PaymentIntent:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    amount = fields.amount("amount_minor", "amount_received")
    if amount is None and "amount_minor" not in fields.faults:
        amount = fields.amount("amount_minor", "amount")
    return PaymentIntent(
        payment_intent_id=fields.word("payment_intent_id", "id"),
        purchase_id=fields.metadata_text("purchase_id"),
        account_id=fields.metadata_text("account_id"),
        amount_minor=amount,
        currency=fields.currency(),
        livemode=fields.livemode(),
        faults=fields.faults,
    )
