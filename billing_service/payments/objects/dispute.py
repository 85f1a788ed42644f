"""Stripe's Dispute."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "dispute"
NEEDED: Final = ("dispute_id", "amount_minor", "currency", "word")
"""What a dispute must say before it is followed; its entries must be readable too."""


@dataclass(frozen=True, slots=True)
class Dispute(StripeObject):
    """A customer's bank wants a payment's money back, or asks about it."""

    payment_intent_id: str | None
    dispute_id: str = ""
    amount_minor: int | None = None
    currency: str | None = None
    word: str = ""
    """Its status: warning_needs_response · warning_under_review · warning_closed · needs_response · under_review ·
    appeal_needs_response · appeal_under_review · won · lost · prevented"""
    reason: str = ""
    entries: Mapping[str, int] | None = None
    """Amounts of the entries of Stripe's balance, by their ids: below 0 what was withdrawn. None where it has none."""
    due_time_us: int | None = None
    told_time_us: int | None = None
    """When the event was made that told it; None where Stripe was asked."""


def read_dispute(values: Mapping[str, Any], told_time_us: int | None = None) -> Dispute:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    return Dispute(
        fields.reference("payment_intent_id", "payment_intent"),
        dispute_id=fields.word("dispute_id", "id"),
        amount_minor=fields.amount("amount_minor", "amount"),
        currency=fields.currency(),
        word=fields.word("word", "status"),
        reason=fields.word("reason"),
        entries=fields.balance_entries("entries", "balance_transactions"),
        due_time_us=fields.part_time_us("due_time_us", "evidence_details", "due_by"),
        told_time_us=told_time_us,
        faults=fields.faults,
    )
