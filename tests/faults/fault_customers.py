"""Operations on Stripe's customers that are struck by faults."""

from prepaid.billing.v1 import accounts_pb2

from billing_service.payments.objects.customer import ProviderCustomer
from tests.faults.fault_operations import account_of, calling, key_of, operation


# What Stripe is told of its new account is sent again by the next purchase: no fault on that way is this call's. Until
# Stripe has said that it has the customer, nothing is made.
@operation("adopt a customer", also=frozenset({"clean"}), varies=frozenset({"profiles.contact_version_sent"}))
async def adopt_customer(service, tag):
    customer_id = f"cus_{tag}".replace("-", "_")
    service.provider.stripe.customers[customer_id] = ProviderCustomer(
        customer_id, "old@example.com", "Ada", deleted=False
    )
    request = accounts_pb2.CreateAccountRequest(
        account_id=account_of(tag),
        email="new@example.com",
        stripe_customer_id=customer_id,
        idempotency_key=key_of(tag),
    )
    return calling("create_account", request)


CUSTOMER_OPERATIONS = (adopt_customer,)
