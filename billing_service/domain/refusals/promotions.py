"""Refusals of referrals."""

from billing_service.domain.refusals import Reason, Refusal

CODE_SHOWN_MAX = 64
"""Characters of a code that nobody has which are said back."""


def referral_code_not_found(code: str) -> Refusal:
    return Refusal(
        Reason.REFERRAL_CODE_NOT_FOUND,
        "no account has this referral code",
        metadata={"referral_code": code[:CODE_SHOWN_MAX]},
    )


def referral_exists(referrer_account_id: str) -> Refusal:
    return Refusal(
        Reason.REFERRAL_EXISTS,
        "the account is bound to a referrer already",
        metadata={"referrer_account_id": referrer_account_id},
    )


def self_referral(why: str) -> Refusal:
    return Refusal(Reason.SELF_REFERRAL, why)


def referral_too_late() -> Refusal:
    return Refusal(Reason.REFERRAL_TOO_LATE, "the account has completed a purchase already")
