"""The profile of an account: what is known of its owner."""

from dataclasses import dataclass
from typing import Final, NamedTuple

EMAIL_MAX: Final = 320
NAME_MAX: Final = 256
"""Characters that the wire promises at most; Stripe allows more."""


@dataclass(slots=True)
class Profile:
    """What is known about an account and seldom changes."""

    account_id: str
    email: str
    name: str
    referral_code: str
    metadata: str
    stripe_customer_id: str
    customer_attempt: int
    customer_update_time_us: int = 0
    """Stripe's time of the newest customer event that counts."""
    contact_version: int = 0
    """How often UpdateAccount changed e-mail or name. The customer at Stripe carries the version that its own come
    from."""
    contact_version_sent: int = 0
    """The version that the customer at Stripe is known to have."""


def kept_contact(email: str, name: str) -> tuple[str, str]:
    """What is kept of an e-mail address and a name that Stripe has: an address that is too long is none, a name is
    cut."""
    return _storable(email) if len(email) <= EMAIL_MAX else "", _storable(name)[:NAME_MAX]


def _storable(text: str) -> str:
    """Databases keep no NUL."""
    return "" if "\x00" in text else text


class StoredAccount(NamedTuple):
    """An account with its profile. Amounts in microcredits, as last booked; times in microseconds."""

    profile: Profile
    version: int
    frozen: bool
    overdraft_limit: int
    create_time_us: int
    debt_max: int
    """As it is kept: -1 where only the settings say."""
    balance: int
    debt: int
    low_balance: int
    """Where less is available, it is told; 0: never."""
