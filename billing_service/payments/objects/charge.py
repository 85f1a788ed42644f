"""Stripe's Charge."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "charge"


@dataclass(frozen=True, slots=True)
class Charge(StripeObject):
    """An attempt at a payment, and what went back of it."""

    payment_intent_id: str | None


def read_charge(values: Mapping[str, Any]) -> Charge:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    return Charge(fields.reference("payment_intent_id", "payment_intent"), faults=fields.faults)
