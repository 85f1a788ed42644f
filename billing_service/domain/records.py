"""Purchases, refunds and referrals as they are kept. Changed in memory under the account's lock, then written whole."""

from dataclasses import dataclass
from enum import StrEnum

from billing_service.domain.purchases import PurchaseStatus
from billing_service.domain.referrals import ReferralState


class RefundStatus(StrEnum):
    """Where a refund stands; the wire's names without their prefix."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def rank(self) -> int:
        """News of a lower rank came late and changes nothing. A refund that succeeded can still fail; one that failed is over."""
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
