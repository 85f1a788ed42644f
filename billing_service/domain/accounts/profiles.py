"""The profile of an account: what is known of its owner."""

from dataclasses import dataclass


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
