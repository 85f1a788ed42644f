"""Checkouts: pages of the payment provider where a customer pays for one purchase."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from billing_service.payments.objects.checkout_session import CheckoutSession


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """A page where the customer pays exactly `amount_minor`, less promotion codes where allowed."""

    purchase_id: str
    account_id: str
    customer_id: str | None
    name: str
    description: str
    amount_minor: int
    currency: str
    success_url: str
    cancel_url: str
    expire_time_us: int
    """30 minutes to 24 hours ahead when the page is first asked for; cut to whole seconds."""
    idempotency_key: str
    mark: str
    """Goes with the checkout, its payment and its charge, so that they are known as ours."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The caller's own, shown with the payment at the provider as far as there is room. Names of ours are not the
    caller's."""
    allow_promotion_codes: bool = False
    stripe_price_id: str | None = None
    """A price of the provider's catalogue that says the same as amount and currency; None: priced by the order
    itself."""


class Checkouts(Protocol):
    """Opens, reads and closes checkouts."""

    async def create_checkout(self, order: CheckoutOrder) -> CheckoutSession:
        """The open checkout; its id, status, amount and currency are there. A price of the provider's catalogue that
        disagrees with the order is refused as `amount_mismatch`."""
        ...

    async def get_checkout(self, session_id: str) -> CheckoutSession:
        """The checkout as it is now; its id, status and amounts are there."""
        ...

    async def expire_checkout(self, session_id: str, idempotency_key: str) -> CheckoutSession:
        """Closes an open checkout. One that is expired or complete already is refused: `get_checkout` says which."""
        ...
