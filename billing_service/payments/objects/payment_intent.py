"""Stripe's PaymentIntent: one payment, over all its attempts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "payment_intent"
FLOW_FIELD: Final = "payment_flow"
"""The metadata key of payments that a purchase asked for itself; those of checkouts have none."""
BY_INTENT: Final = "payment_intent"
"""Its value."""


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
    status: str = ""
    """requires_payment_method · requires_confirmation · requires_action · processing · requires_capture · canceled ·
    succeeded"""
    has_failed: bool = False
    """Whether its last attempt failed, and none was made since."""
    client_secret: str = field(default="", repr=False)
    """By which the customer's page pays it; empty in events."""


def is_asked_for(values: Mapping[str, Any]) -> bool:
    """Whether an object says that a purchase asked for it itself. It decides no more than whether it is looked at."""
    metadata = values.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get(FLOW_FIELD) == BY_INTENT


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
        status=fields.word("status"),
        has_failed=fields.is_there("last_payment_error"),
        client_secret=fields.plain("client_secret"),
        faults=fields.faults,
    )
