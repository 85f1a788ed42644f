"""A refund as it is kept. Changed in memory under the account's lock, then written whole."""

from dataclasses import dataclass
from enum import StrEnum


class RefundStatus(StrEnum):
    """State of a refund; the wire's names without their prefix."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def rank(self) -> int:
        """An update of a lower rank came late and changes nothing. A refund that succeeded can still fail; one that
        failed is over."""
        return {RefundStatus.PENDING: 0, RefundStatus.SUCCEEDED: 1}.get(self, 2)

    @property
    def counts(self) -> bool:
        """Whether its money counts as gone back: promised or sent."""
        return self in (RefundStatus.PENDING, RefundStatus.SUCCEEDED)


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
    """Whether `reversed` still waits in the place `set_aside`; an older program settles by that column."""
    reversed: int
    """What it took of the purchase's lots, and as debt."""
    debt: int
    stripe_refund_id: str
    reason: str
    create_time_us: int
    is_marked: bool = False
    """Whether the program that began it marks its object at Stripe; an older one, and a person in the Dashboard,
    don't."""
    expired: int = 0
    """What it took besides `reversed`, and had expired before."""
    bonus: int = 0
    """The buyer's referral bonus that it took back beside."""

    @property
    def is_unsent(self) -> bool:
        """Whether Stripe has said nothing of it: its credits are set aside until its request is repeated."""
        return self.status is RefundStatus.PENDING and not self.stripe_refund_id

    @property
    def was_given_up(self) -> bool:
        """Whether Stripe refused to make it: its credits came back."""
        return self.status is RefundStatus.FAILED and not self.stripe_refund_id

    @property
    def taken(self) -> int:
        """Credits of the purchase that it took, in microcredits."""
        return self.reversed + self.expired
