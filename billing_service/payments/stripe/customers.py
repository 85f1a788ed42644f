"""Customers at Stripe."""

from typing import TYPE_CHECKING

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects.customer import CONTACT_VERSION_FIELD, ProviderCustomer, read_customer
from billing_service.payments.stripe.calls import StripeCalls

if TYPE_CHECKING:
    import stripe
    from stripe.params import CustomerCreateParams, CustomerUpdateParams


class StripeCustomers(StripeCalls):
    """Fits `ports.customers.Customers`."""

    async def create_customer(
        self, *, account_id: str, email: str, name: str, mark: str, idempotency_key: str, contact_version: int = 0
    ) -> str:
        metadata = {"account_id": account_id, MARK_FIELD: mark}
        if contact_version:
            metadata[CONTACT_VERSION_FIELD] = str(contact_version)
        params: CustomerCreateParams = {"metadata": metadata}
        if email:
            params["email"] = email
        if name:
            params["name"] = name
        made = await self._answer(
            "create_customer",
            lambda client: client.v1.customers.create_async(params, {"idempotency_key": idempotency_key}),
        )
        return made.id

    async def get_customer(self, customer_id: str) -> ProviderCustomer:
        async def customer(client: "stripe.StripeClient") -> ProviderCustomer:
            found = read_customer((await client.v1.customers.retrieve_async(customer_id)).to_dict())
            found.require("customer_id")
            return found

        return await self._answer("get_customer", customer)

    async def update_customer(
        self, customer_id: str, *, account_id: str, email: str, name: str, mark: str, contact_version: int | None
    ) -> None:
        metadata = {"account_id": account_id, MARK_FIELD: mark}
        if contact_version is not None:
            metadata[CONTACT_VERSION_FIELD] = str(contact_version)
        params: CustomerUpdateParams = {"email": email, "name": name, "metadata": metadata}
        await self._answer("update_customer", lambda client: client.v1.customers.update_async(customer_id, params))
