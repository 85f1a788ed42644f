"""Referral codes, and what a referred account's first completed purchase brings."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing_service.domain.times import US_PER_S

CODE_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1, which people mix up: 32 characters, five bits each."""
CODE_CHARACTERS: Final = 8
CODE_RANDOM_BYTES: Final = 5
"""40 bits: exactly one code for each value, all equally likely."""

assert len(CODE_ALPHABET) == 32  # noqa: PLR2004 - five bits
assert CODE_CHARACTERS * 5 == CODE_RANDOM_BYTES * 8


def code_from_random(random_bytes: bytes) -> str:
    """The referral code for CODE_RANDOM_BYTES bytes of randomness. Whether it is free, only the database knows."""
    assert len(random_bytes) == CODE_RANDOM_BYTES
    number = int.from_bytes(random_bytes, "big")
    return "".join(CODE_ALPHABET[number >> shift & 31] for shift in range(5 * (CODE_CHARACTERS - 1), -1, -5))


def normalise_code(text: str) -> str | None:
    """The code that a person meant: spaces around it and letter case do not matter. None when no code can look like
    this."""
    code = text.strip(" ")
    if len(code) != CODE_CHARACTERS or not code.isascii():
        return None
    code = code.upper()
    return code if all(character in CODE_ALPHABET for character in code) else None


class ReferralState(StrEnum):
    """State of a referral; the wire's names without their prefix."""

    PENDING = "PENDING"
    QUALIFIED = "QUALIFIED"
    REWARDED = "REWARDED"
    CLOSED = "CLOSED"
    REVERSED = "REVERSED"


@dataclass(frozen=True, slots=True)
class ReferralPolicy:
    """The terms of the programme. Amounts >= 0, money in the smallest unit of the catalogue's currency."""

    bonus_microcredits: int = 1_000_000_000
    """What each of the two gets; 0 switches the bonuses off."""
    minimum_purchase_minor: int | None = 1_000
    """What the first purchase must have cost the customer, at least; None where nobody stated it in the currency: the
    programme is off."""
    rewarded_max: int | None = None
    """How many referrals one referrer is rewarded for; None: no limit. A bonus that was taken back whole does not
    count."""
    vesting_delay_us: int = 14 * 86_400 * US_PER_S
    """How long after the purchase the bonuses become spendable."""

    def __post_init__(self) -> None:
        if (
            min(
                self.bonus_microcredits, self.minimum_purchase_minor or 0, self.rewarded_max or 0, self.vesting_delay_us
            )
            < 0
        ):
            raise ValueError("the terms of the referral programme can't be negative")

    def reward_time_us(self, complete_time_us: int) -> int:
        """When the bonuses of a purchase completed then are due; microseconds since 1970."""
        return complete_time_us + self.vesting_delay_us


def stands(paid_for_credits_minor: int, paid_minor: int, reversed_minor: int, *, minimum_minor: int) -> bool:
    """Whether enough stays paid of the purchase that earned a referral's bonuses. All money in the currency's smallest
    unit.

    What was paid in all may hold tax and shipping; of each part that goes back, the credits' share goes back. A
    purchase all of whose money went back earns nothing, whatever the minimum.
    """
    if reversed_minor and reversed_minor >= paid_minor:
        return False
    return paid_for_credits_minor * (paid_minor - reversed_minor) >= minimum_minor * paid_minor


def standing_refund_minor(
    paid_for_credits_minor: int, paid_minor: int, reversed_minor: int, *, minimum_minor: int
) -> int:
    """The largest further refund after which the referral still stands; it stands now. 0 <= answer < what has not gone
    back."""
    left = paid_minor - reversed_minor
    least = 1 if paid_for_credits_minor == 0 else max(1, -(-minimum_minor * paid_minor // paid_for_credits_minor))
    return max(left - least, 0)


@dataclass(frozen=True, slots=True)
class ReferralOutcome:
    """What the first completed purchase of a referred account decides, once and for good."""

    state: ReferralState
    referee_bonus_microcredits: int
    referrer_bonus_microcredits: int


def decide_first_purchase(policy: ReferralPolicy, amount_paid_minor: int, rewarded_count: int) -> ReferralOutcome:
    """The outcome for a first purchase whose credits really cost `amount_paid_minor`, without tax and shipping, of a
    referrer that has `rewarded_count` bonuses, or has spent of them.

    REWARDED both get the bonus · QUALIFIED the referrer is at its cap, only the referred account gets it · CLOSED the
    purchase was too small, or the programme is off.
    """
    bonus = policy.bonus_microcredits
    if policy.minimum_purchase_minor is None or amount_paid_minor < policy.minimum_purchase_minor:
        return ReferralOutcome(ReferralState.CLOSED, 0, 0)
    if policy.rewarded_max is not None and rewarded_count >= policy.rewarded_max:
        return ReferralOutcome(ReferralState.QUALIFIED, bonus, 0)
    return ReferralOutcome(ReferralState.REWARDED, bonus, bonus)


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
    fallen_purchase_id: str = ""
    """While REVERSED, what `purchase_id` was, which is empty then: so a program of an older schema, which goes by its
    own rules, leaves the bonuses alone."""

    @property
    def earned_by(self) -> str:
        """The purchase that decided it; empty while it is pending."""
        return self.purchase_id or self.fallen_purchase_id
