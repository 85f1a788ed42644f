"""A customer that Stripe has already becomes an account's: as Stripe has it, and refused where it is another's."""

from billing_service.commands.environment import Environment
from billing_service.domain.accounts.profiles import Profile, kept_contact
from billing_service.domain.deployment import MarkKind
from billing_service.domain.refusals.access import (
    stripe_customer_deleted,
    stripe_customer_not_found,
    stripe_customer_taken,
)
from billing_service.ledger.provider_step import as_refusals
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.storage.rows.profiles import claim_customer, whose_customer
from billing_service.storage.statements import Work

_MISSING = "resource_missing"
"""Stripe's code for an id that it does not have."""


async def look_up_customer(environment: Environment, account_id: str, customer_id: str) -> ProviderCustomer:
    """The customer as Stripe has it now. Raises STRIPE_CUSTOMER_NOT_FOUND, STRIPE_CUSTOMER_DELETED,
    STRIPE_CUSTOMER_TAKEN, STRIPE_REFUSED, STRIPE_UNAVAILABLE, STRIPE_KEY_REFUSED."""
    with as_refusals():
        try:
            found = await environment.customers.get_customer(customer_id)
        except ProviderRefused as refused:
            if refused.code == _MISSING:
                raise stripe_customer_not_found(customer_id) from refused
            raise
    if found.deleted:
        raise stripe_customer_deleted(customer_id)
    # Another deployment would go on charging and updating the customer as its own.
    if found.mark and not environment.deployment.made(MarkKind.CUSTOMER, account_id, found.mark):
        raise stripe_customer_taken(customer_id)
    return found


def refuse_taken(customer_id: str) -> Work[None]:
    """Raises STRIPE_CUSTOMER_TAKEN where an account has the customer, or had it."""
    if (yield from whose_customer(customer_id)) is not None:
        raise stripe_customer_taken(customer_id)


def adopt_customer(profile: Profile, customer: ProviderCustomer) -> Work[None]:
    """Links a customer that was looked up to a new account, in the transaction that makes it; the caller writes the
    profile. Raises STRIPE_CUSTOMER_TAKEN.

    The account's e-mail and name are a version newer than those at Stripe: so Stripe is sent them, with our mark, and
    no event of the time before undoes them.
    """
    if not (yield from claim_customer(customer.customer_id, profile.account_id)):
        raise stripe_customer_taken(customer.customer_id)
    email, name = kept_contact(customer.email, customer.name)
    profile.email, profile.name = profile.email or email, profile.name or name
    profile.stripe_customer_id = customer.customer_id
    profile.contact_version = customer.contact_version + 1
    profile.contact_version_sent = customer.contact_version
