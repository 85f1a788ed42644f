"""ApplyReferral: binds an account to its referrer, before its first completed purchase, never in a circle."""

from collections.abc import Callable
from dataclasses import dataclass

from billing_service.commands.environment import Environment
from billing_service.domain.promotions.referrals import Referral, ReferralState, normalise_code
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.promotions import (
    referral_code_not_found,
    referral_exists,
    referral_too_late,
    self_referral,
)
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, once
from billing_service.storage.rows.profiles import whose_code
from billing_service.storage.rows.purchases import REFERRALS, count_completed, read_referral
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError

ANCESTORS_MAX = 1_000
"""Referrers of referrers that are followed; a longer line is refused as if it were a circle."""


@dataclass(frozen=True, slots=True)
class ApplyReferral:
    """A valid request."""

    request: Request
    account_id: str
    referral_code: str
    encode: Callable[[Referral], bytes]


async def apply_referral(environment: Environment, command: ApplyReferral) -> Answer:
    """Raises REFERRAL_CODE_NOT_FOUND, INVALID_FIELD where referrals are off, SELF_REFERRAL, REFERRAL_EXISTS,
    REFERRAL_TOO_LATE."""
    return await environment.store.write(lambda: _apply(environment, command))


def _apply(environment: Environment, command: ApplyReferral) -> Work[Answer]:
    involved = yield from referral_accounts(command.account_id, command.referral_code)

    def effect(unit: Unit) -> Work[bytes]:
        referral = yield from bind_referral(environment, unit, command.account_id, command.referral_code)
        return command.encode(referral)

    detail = {"referral_code": command.referral_code}
    return (yield from once(environment.sources, command.request, involved, effect, detail=detail, make_missing=True))


def referral_accounts(account_id: str, referral_code: str) -> Work[list[str]]:
    """The accounts to lock: the referred one, its referrer, and everybody above, so that no circle closes behind our
    back."""
    referrer = yield from _referrer(referral_code)
    above = yield from _ancestors(referrer)
    return [account_id, referrer, *above]


def bind_referral(environment: Environment, unit: Unit, account_id: str, referral_code: str) -> Work[Referral]:
    """Binds under the locks that `referral_accounts` named."""
    if environment.referrals.minimum_purchase_minor is None:
        currency = environment.catalog.currency
        raise invalid_field(
            "referral_code", f"referrals are off: the service has no least purchase stated in {currency!r}"
        )
    referrer = yield from _referrer(referral_code)
    existing = yield from read_referral(account_id)
    if existing is not None:
        raise referral_exists(existing.referrer_account_id)
    if referrer == account_id:
        raise self_referral("an account can't refer itself")
    above = yield from _ancestors(referrer)
    if account_id in above or len(above) >= ANCESTORS_MAX:
        raise self_referral("the account referred its referrer, directly or through others")
    if not unit.accounts.keys() >= {referrer, *above}:
        raise ConflictError("the line of referrers grew meanwhile")
    if (yield from count_completed(account_id)):
        raise referral_too_late()
    referral = Referral(
        account_id=account_id,
        referrer_account_id=referrer,
        state=ReferralState.PENDING,
        bonus=environment.referrals.bonus_microcredits,
        purchase_id="",
        referee_lot_id="",
        referrer_lot_id="",
        referee_taken=0,
        referrer_taken=0,
        create_time_us=unit.now_us,
        reward_time_us=None,
    )
    yield from REFERRALS.add(referral)
    return referral


def _referrer(referral_code: str) -> Work[str]:
    code = normalise_code(referral_code)
    referrer = (yield from whose_code(code)) if code else None
    if referrer is None:
        raise referral_code_not_found(referral_code)
    return referrer


def _ancestors(account_id: str) -> Work[list[str]]:
    above: list[str] = []
    while len(above) < ANCESTORS_MAX:
        referral = yield from read_referral(account_id)
        if referral is None:
            break
        account_id = referral.referrer_account_id
        above.append(account_id)
    return above
