"""How many credits a purchase has to give back, as an absolute target.

A target depends on how much money went back in total, not on which event reported it or how often. The caller moves
`target - already taken`, so order and repetition of events do not matter.
"""

from dataclasses import dataclass
from enum import StrEnum

from billing_service.domain.catalogue.currencies import require_step, round_down_to_step
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.sales import credits_already_spent


class RefundPolicy(StrEnum):
    """What to do about credits that were spent already."""

    UNUSED_ONLY = "UNUSED_ONLY"
    WITH_DEBT = "WITH_DEBT"


@dataclass(frozen=True, slots=True)
class ReferralAtStake:
    """A referral that falls when too much of the purchase's money goes back: the buyer then owes all of its bonus."""

    standing_refund_minor: int
    """The largest further refund after which it still stands."""
    spent_microcredits: int
    """What the buyer spent of the bonus: taken from what is left of the purchase."""
    left_microcredits: int
    """What is left of the buyer's bonus: taken from there."""


@dataclass(frozen=True, slots=True)
class PurchaseReversal:
    """State of one completed purchase. All amounts >= 0; money in the currency's smallest unit, credits in
    microcredits."""

    credits_microcredits: int
    """What the purchase granted; positive."""
    paid_minor: int
    """What the customer really paid; 0 when a promotion code made it free."""
    reversed_minor: int
    """Money gone back or promised back so far, disputes included."""
    taken_microcredits: int
    """Credits taken back so far, debt included."""
    left_microcredits: int
    """What is left in the purchase's own lots, and has not run out."""
    expired_microcredits: int = 0
    """What its lots lost to their expiry, less what was taken back of that. Not refundable, and never a debt."""
    referral: ReferralAtStake | None = None
    """The referral that stands by this purchase; None when there is none, or it has fallen."""
    held_microcredits: int = 0
    """What open holds reserve of its lots. Not refundable while they are open."""

    def __post_init__(self) -> None:
        assert self.credits_microcredits > 0
        assert 0 <= self.reversed_minor <= self.paid_minor
        assert 0 <= self.taken_microcredits <= self.credits_microcredits
        assert 0 <= self.left_microcredits <= self.credits_microcredits

    @property
    def remaining_minor(self) -> int:
        """Money that has not gone back."""
        return self.paid_minor - self.reversed_minor


@dataclass(frozen=True, slots=True)
class RefundQuote:
    """What a refund would do: money back, credits taken for it, and what would become debt."""

    refundable_minor: int = 0
    reversed_microcredits: int = 0
    """Credits of the purchase."""
    debt_microcredits: int = 0
    """Of these and of the bonus, what was spent already."""
    bonus_microcredits: int = 0
    """The buyer's referral bonus that would go back as well."""


def reversed_minor(paid_minor: int, refunds_minor: int, disputes_minor: int) -> int:
    """Money that counts as gone back: refunds that neither failed nor were canceled, and disputes whose funds are out;
    at most what was paid."""
    return min(paid_minor, refunds_minor + disputes_minor)


def target_credits(credits_microcredits: int, paid_minor: int, reversed_minor: int) -> int:
    """Microcredits to have taken back in total once `reversed_minor` of `paid_minor` went back.

    Rounded up, so that a part refund never leaves the customer a fraction of a microcredit for free; all when all went
    back; none for a free purchase.
    """
    if paid_minor == 0:
        return 0
    return -(-credits_microcredits * reversed_minor // paid_minor)


def quote(purchase: PurchaseReversal, policy: RefundPolicy, amount_minor: int | None, currency: str) -> RefundQuote:
    """What a refund of `amount_minor`, above 0, would do; None: of all that the policy allows, in steps that Stripe
    takes, which may be 0.

    Raises INVALID_FIELD for an amount off these steps and for more than was paid and has not gone back, and
    CREDITS_ALREADY_SPENT for more than the policy allows.
    """
    allowed = quote_with_debt(purchase) if policy is RefundPolicy.WITH_DEBT else quote_unused_only(purchase)
    # What does not make a step stays, with its credits.
    whole_minor = round_down_to_step(allowed.refundable_minor, currency)
    if amount_minor is None:
        return allowed if whole_minor == allowed.refundable_minor else quote_amount(purchase, whole_minor)
    require_step("amount_minor", amount_minor, currency)
    if amount_minor > purchase.remaining_minor:
        left = f"no more than {purchase.remaining_minor}: all else that was paid went back, or is on its way"
        raise invalid_field("amount_minor", left)
    if amount_minor > whole_minor:
        raise credits_already_spent(whole_minor, purchase.held_microcredits)
    return quote_amount(purchase, amount_minor)


def quote_amount(purchase: PurchaseReversal, amount_minor: int) -> RefundQuote:
    """What refunding exactly `amount_minor` (0 to what has not gone back) would do."""
    assert 0 <= amount_minor <= purchase.remaining_minor
    target = target_credits(purchase.credits_microcredits, purchase.paid_minor, purchase.reversed_minor + amount_minor)
    take = max(0, target - purchase.taken_microcredits)
    from_lots = min(take, purchase.left_microcredits)
    debt = max(0, take - from_lots - purchase.expired_microcredits)
    stake = purchase.referral
    if stake is None or amount_minor <= stake.standing_refund_minor:
        return RefundQuote(amount_minor, take, debt)
    debt += max(0, stake.spent_microcredits - (purchase.left_microcredits - from_lots))
    return RefundQuote(amount_minor, take, debt, stake.spent_microcredits + stake.left_microcredits)


def quote_unused_only(purchase: PurchaseReversal) -> RefundQuote:
    """The largest refund whose credits are all still in the purchase's own lots: it makes no debt, and one unit more
    would. One that makes a referral fall must leave enough in them for what was spent of the bonus."""
    stake = purchase.referral
    if stake is None:
        return _quote_largest(purchase, _coverable_minor(purchase, 0))
    falling_minor = _coverable_minor(purchase, stake.spent_microcredits)
    if falling_minor > stake.standing_refund_minor:
        return _quote_largest(purchase, falling_minor)
    return _quote_largest(purchase, min(_coverable_minor(purchase, 0), stake.standing_refund_minor))


def _coverable_minor(purchase: PurchaseReversal, kept_microcredits: int) -> int:
    """The largest further refund that what is left covers, `kept_microcredits` of it set apart; below 0 for none."""
    reachable = purchase.taken_microcredits + purchase.left_microcredits - kept_microcredits
    return (
        min(purchase.paid_minor, reachable * purchase.paid_minor // purchase.credits_microcredits)
        - purchase.reversed_minor
    )


def _quote_largest(purchase: PurchaseReversal, refundable_minor: int) -> RefundQuote:
    return quote_amount(purchase, refundable_minor) if refundable_minor > 0 else RefundQuote()


def quote_with_debt(purchase: PurchaseReversal) -> RefundQuote:
    """All the money that has not gone back, whatever was spent."""
    return quote_amount(purchase, purchase.remaining_minor)
