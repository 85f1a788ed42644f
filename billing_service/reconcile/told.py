"""An object that Stripe listed, as the event that would tell of it as it is now."""

from collections.abc import Mapping
from typing import Any, Final

from billing_service.payments.objects import (
    charge,
    checkout_session,
    customer,
    dispute,
    early_fraud_warning,
    payment_intent,
    refund,
)
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.families import checkout_session as checkouts
from billing_service.stripe_events.families import customer as customers
from billing_service.stripe_events.families import payment_intent as payments

KINDS: Final = (
    checkout_session.KIND,
    payment_intent.KIND,
    refund.KIND,
    dispute.KIND,
    early_fraud_warning.KIND,
    customer.KIND,
)
"""In the order in which they are compared: a checkout binds the payment that all after it are found by. A charge says
nothing that its payment and its refunds do not."""
NOT_LISTED: Final = frozenset({charge.KIND})
_TYPES: Final[Mapping[str, str]] = {
    refund.KIND: "refund.updated",
    dispute.KIND: "charge.dispute.updated",
    early_fraud_warning.KIND: "radar.early_fraud_warning.created",
    # As of a new one: what Stripe has no word of may have been refused, and is not taken away here.
    customer.KIND: customers.CREATED,
}
_PAYMENT_TYPES: Final[Mapping[str, str]] = {
    "succeeded": payments.SUCCEEDED,
    "processing": payments.PROCESSING,
    "canceled": payments.CANCELED,
    "requires_payment_method": payments.PAYMENT_FAILED,
}
"""By status; in any other one the customer is about to pay."""
_OVER: Final = frozenset({"requires_payment_method", "canceled"})
"""Statuses of a payment that failed after its checkout was complete."""


def envelope_of(kind: str, about: Mapping[str, Any], *, livemode: bool, time_us: int) -> Envelope | None:
    """`livemode`: of the key by which Stripe was asked. None where there is nothing to tell yet. `time_us`: when it was
    asked; only customers need it, of whom the newest word counts."""
    event_type = _event_type(kind, about)
    if event_type is None:
        return None
    return Envelope(
        event_id="",
        event_type=event_type,
        livemode=livemode,
        created_us=time_us if kind == customer.KIND else None,
        is_connected=False,
        object=about,
    )


def _event_type(kind: str, about: Mapping[str, Any]) -> str | None:
    if kind == checkout_session.KIND:
        return _of_checkout(about)
    if kind == payment_intent.KIND:
        return _PAYMENT_TYPES.get(str(about.get("status")))
    return _TYPES[kind]


def _of_checkout(about: Mapping[str, Any]) -> str | None:
    status = about.get("status")
    if status == "open":
        return None
    if status == "expired":
        return checkouts.EXPIRED
    payment = about.get("payment_intent")
    is_over = isinstance(payment, Mapping) and payment.get("status") in _OVER
    return (
        checkouts.ASYNC_PAYMENT_FAILED if is_over and about.get("payment_status") == "unpaid" else checkouts.COMPLETED
    )
