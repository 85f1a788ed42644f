"""Payments that a purchase asks for itself: the customer pays in the caller's own page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from billing_service.payments.objects.payment_intent import PaymentIntent


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """A payment of exactly `amount_minor`."""

    purchase_id: str
    account_id: str
    customer_id: str | None
    description: str
    amount_minor: int
    currency: str
    idempotency_key: str
    mark: str
    """Goes with the payment and its charge, so that they are known as ours."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The caller's own, as far as there is room. Names of ours are not the caller's."""


class Payments(Protocol):
    """Asks for, reads and calls off payments."""

    async def create_payment(self, order: PaymentOrder) -> PaymentIntent:
        """The payment, nothing tried on it yet; its id, amount, currency, status and client secret are there."""
        ...

    async def get_payment(self, payment_intent_id: str) -> PaymentIntent:
        """The payment as it is now; its id, amount, currency and status are there."""
        ...

    async def cancel_payment(self, payment_intent_id: str, idempotency_key: str) -> PaymentIntent:
        """Calls off a payment that nothing came of. One that succeeded, is on its way or was called off before is
        refused: `get_payment` says which."""
        ...
