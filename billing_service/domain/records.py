"""Purchases, refunds and referrals as they are kept. Changed in memory under the account's lock, then written whole."""

from dataclasses import dataclass
from enum import StrEnum

from billing_service.domain.promotions.referrals import ReferralState
from billing_service.domain.sales.purchases import PurchaseStatus


class RefundStatus(StrEnum):
    """State of a refund; the wire's names without their prefix."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def rank(self) -> int:
        """An update of a lower rank came late and changes nothing. A refund that succeeded can still fail; one that failed is over."""
        return {RefundStatus.PENDING: 0, RefundStatus.SUCCEEDED: 1}.get(self, 2)

    @property
    def counts(self) -> bool:
        """Whether its money counts as gone back: promised or sent."""
        return self in (RefundStatus.PENDING, RefundStatus.SUCCEEDED)


@dataclass(slots=True)
class Purchase:
    """One sale of credits, with the snapshot of what was sold. Credits in microcredits, money in the smallest unit."""

    account_id: str
    purchase_id: str
    package_code: str
    name: str
    description: str
    credits: int
    amount_minor: int
    currency: str
    status: PurchaseStatus
    attempt: int
    checkout_session_id: str
    checkout_url: str
    payment_intent_id: str
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    reversed: int
    lot_id: str
    success_url: str
    cancel_url: str
    metadata: str
    create_time_us: int
    expire_time_us: int
    complete_time_us: int | None
    net_paid_minor: int | None = None
    """What was paid for the credits themselves, without tax and shipping; None before completion and on rows older than it."""
    payment_time_us: int | None = None
    """When Stripe first reported the payment's success."""
    reversed_debt: int = 0
    """The part of `reversed` that became debt."""
    reversed_expired: int = 0
    """The part of `reversed` that had expired before it was taken."""
    terms: str = ""
    """What held when the page was opened, as JSON; empty on rows older than it."""

    @property
    def paid_for_credits_minor(self) -> int:
        """What was paid for the credits; on older rows the price, as far as it was paid."""
        return min(self.paid_minor, self.amount_minor) if self.net_paid_minor is None else self.net_paid_minor


@dataclass(slots=True)
class Refund:
    """One refund of one purchase, begun here or at Stripe."""

    account_id: str
    refund_id: str
    purchase_id: str
    amount_minor: int
    currency: str
    status: RefundStatus
    attempt: int
    requires_settlement: bool
    """Whether its credits still wait in the place `set_aside`."""
    reversed: int
    debt: int
    stripe_refund_id: str
    reason: str
    create_time_us: int
    is_marked: bool = False
    """Whether the program that began it marks its object at Stripe; an older one, and a person in the Dashboard, don't."""
    expired: int = 0
    """The part of `reversed` that had expired before it was taken."""
    bonus: int = 0
    """The buyer's referral bonus that it took back beside."""

    @property
    def set_aside(self) -> int:
        """What waits in the place `set_aside` while it requires settlement: nothing of what had expired."""
        return self.reversed - self.expired


@dataclass(slots=True)
class Referral:
    """The bond between an account and the one that referred it."""

    account_id: str
    referrer_account_id: str
    state: ReferralState
    bonus: int
    purchase_id: str
    referee_lot_id: str
    referrer_lot_id: str
    referee_taken: int
    referrer_taken: int
    create_time_us: int
    reward_time_us: int | None
    minimum_minor: int | None = None
    """The least purchase that earned the bonus; None on rows older than it."""
    referee_taken_purchase: int = 0
    referee_taken_debt: int = 0


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
    """How often UpdateAccount changed e-mail or name. The customer at Stripe carries the version that its own come from."""
    contact_version_sent: int = 0
    """The version that the customer at Stripe is known to have."""
