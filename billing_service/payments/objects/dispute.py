"""Stripe's Dispute."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "dispute"


@dataclass(frozen=True, slots=True)
class Dispute(StripeObject):
    """A customer's bank wants a payment's money back."""

    payment_intent_id: str | None


def read_dispute(values: Mapping[str, Any]) -> Dispute:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    return Dispute(fields.reference("payment_intent_id", "payment_intent"), faults=fields.faults)
