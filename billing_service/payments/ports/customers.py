"""Customers at the payment provider: one for each account."""

from typing import Protocol

from billing_service.payments.objects.customer import ProviderCustomer


class Customers(Protocol):
    """Makes, changes and reads customers."""

    async def create_customer(
        self, *, account_id: str, email: str, name: str, mark: str, idempotency_key: str, contact_version: int = 0
    ) -> str:
        """The id of the new customer. Empty e-mail and name are left out. Its events carry the version of both."""
        ...

    async def update_customer(
        self, customer_id: str, *, account_id: str, email: str, name: str, mark: str, contact_version: int | None
    ) -> None:
        """Gives the customer this e-mail and name, none where empty, and the version that they are of; None keeps that.
        Says whose it is, which an adopted one did not. Other metadata stays.
        Safe to repeat: the version in every event shows which of several calls came last."""
        ...

    async def get_customer(self, customer_id: str) -> ProviderCustomer:
        """The customer, also a deleted one."""
        ...
