"""What an event says of a customer, as plain values. Pure; the only exception is FactInvalid."""

from dataclasses import dataclass
from typing import Final

from billing_service.payments.port import CONTACT_VERSION_FIELD
from billing_service.payments.stripe_metadata import read_contact_version
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.object_fields import ObjectFields

CUSTOMER_CREATED: Final = "customer.created"
CUSTOMER_DELETED: Final = "customer.deleted"


@dataclass(frozen=True, slots=True)
class CustomerFact:
    """A customer as it stood at the moment of the event."""

    customer_id: str
    email: str
    name: str
    account_id: str | None
    time_us: int | None
    """When Stripe said so; None where the event has no time."""
    is_new: bool
    """Whether this is the customer's first event."""
    deleted: bool
    contact_version: int = 0
    """Which of the account's versions of e-mail and name the customer's come from; 0 where it says none."""


def customer_fact(envelope: Envelope) -> CustomerFact:
    fields = ObjectFields(envelope.object, "customer")
    return CustomerFact(
        customer_id=fields.word("id"),
        email=fields.plain("email"),
        name=fields.plain("name"),
        account_id=fields.metadata_text("account_id"),
        time_us=envelope.created_us,
        is_new=envelope.event_type == CUSTOMER_CREATED,
        deleted=envelope.event_type == CUSTOMER_DELETED or fields.is_true("deleted"),
        contact_version=read_contact_version(fields.metadata_text(CONTACT_VERSION_FIELD)),
    )
