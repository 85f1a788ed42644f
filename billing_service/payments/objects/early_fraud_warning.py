"""Stripe's early fraud warning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "radar.early_fraud_warning"


@dataclass(frozen=True, slots=True)
class EarlyFraudWarning(StripeObject):
    """A bank suspects that a payment was a fraud."""

    payment_intent_id: str | None


def read_early_fraud_warning(values: Mapping[str, Any]) -> EarlyFraudWarning:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    return EarlyFraudWarning(fields.reference("payment_intent_id", "payment_intent"), faults=fields.faults)
