"""A payment provider with every capability. Only who puts the service together needs all of them."""

from typing import Final, Protocol

from billing_service.payments.ports.checkouts import Checkouts
from billing_service.payments.ports.customers import Customers
from billing_service.payments.ports.listings import Listings
from billing_service.payments.ports.payments import Payments
from billing_service.payments.ports.refunds import Refunds

CAPABILITIES: Final = (Customers, Checkouts, Payments, Refunds, Listings)
OPERATIONS: Final = tuple(name for capability in CAPABILITIES for name in vars(capability) if not name.startswith("_"))
"""Names of all calls."""


class PaymentProvider(Customers, Checkouts, Payments, Refunds, Listings, Protocol):
    """All capabilities over one connection."""

    async def close(self) -> None:
        """Closes connections; no call may follow."""
        ...
