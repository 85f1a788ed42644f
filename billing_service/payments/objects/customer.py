"""Stripe's Customer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects.fields import Fields, StripeObject

KIND: Final = "customer"
CONTACT_VERSION_FIELD: Final = "contact_version"
"""The metadata key that says which of the account's versions of e-mail and name the customer has; absent for the
first."""
_COUNT: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProviderCustomer(StripeObject):
    """A customer as it is at Stripe. E-mail and name are empty where it has none."""

    customer_id: str
    email: str
    name: str
    deleted: bool
    contact_version: int = 0
    """Which of the account's versions of e-mail and name these come from; 0 where it says none."""
    mark: str = ""
    """Of the deployment that made or adopted it; empty where it has none."""


def read_customer(values: Mapping[str, Any]) -> ProviderCustomer:
    """Raises ObjectInvalid for another object."""
    fields = Fields(values, KIND)
    return ProviderCustomer(
        customer_id=fields.word("customer_id", "id"),
        email=fields.plain("email"),
        name=fields.plain("name"),
        deleted=fields.is_true("deleted"),
        contact_version=_version(fields.metadata_text(CONTACT_VERSION_FIELD)),
        mark=fields.metadata_text(MARK_FIELD) or "",
        faults=fields.faults,
    )


def _version(text: str | None) -> int:
    """A version as we write it; 0 for everything else."""
    return int(text) if text is not None and _COUNT.fullmatch(text) else 0
