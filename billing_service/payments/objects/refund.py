"""Stripe's Refund."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "refund"


@dataclass(frozen=True, slots=True)
class ProviderRefund(StripeObject):
    """A refund as it is at Stripe. Ids of ours are None on refunds that we did not begin."""

    stripe_refund_id: str
    status: str
    """pending · requires_action · succeeded · failed · canceled"""
    amount_minor: int | None
    currency: str | None
    payment_intent_id: str | None
    charge_id: str | None
    refund_id: str | None
    purchase_id: str | None
    mark: str = ""
    """Whatever it carries as one; empty for none."""


def read_refund(values: Mapping[str, Any]) -> ProviderRefund:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    return ProviderRefund(
        stripe_refund_id=fields.word("stripe_refund_id", "id"),
        status=fields.word("status"),
        amount_minor=fields.amount("amount_minor", "amount"),
        currency=fields.currency(),
        payment_intent_id=fields.reference("payment_intent_id", "payment_intent"),
        charge_id=fields.reference("charge_id", "charge"),
        refund_id=fields.metadata_text("refund_id"),
        purchase_id=fields.metadata_text("purchase_id"),
        mark=fields.metadata_text(MARK_FIELD) or "",
        faults=fields.faults,
    )
