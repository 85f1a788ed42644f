"""Lets the bonuses of a referral follow the money of the purchase that earned them."""

from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.promotions.bonuses import (
    BonusTaken,
    claw_back_bonus,
    restore_bonus,
    take_what_is_left,
)
from billing_service.domain.promotions.referrals import Referral, ReferralState, standing_refund_minor, stands
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.sales.reversals import ReferralAtStake
from billing_service.ledger.returned_bonuses import taken_of_referee
from billing_service.ledger.settled_debt import payments_of
from billing_service.ledger.unit import Unit
from billing_service.storage.rows.ledger import fetch_lots
from billing_service.storage.rows.purchases import (
    REFERRALS,
    read_referral,
)
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError

_DECIDED = (ReferralState.REWARDED, ReferralState.QUALIFIED, ReferralState.REVERSED)


def locked_referral(unit: Unit, account_id: str) -> Work[Referral | None]:
    """The buyer's referral, its referrer locked. Runs the unit again when it was bound after the locks were chosen."""
    referral = yield from read_referral(account_id)
    if referral is not None and referral.referrer_account_id not in unit.accounts:
        raise ConflictError("a referral was applied meanwhile")
    return referral


def minimum_of(environment: Environment, purchase: Purchase, referral: Referral) -> int:
    """The least that must stay paid, in the currency's smallest unit: as it was when the referral was decided."""
    if referral.minimum_minor is not None:
        return referral.minimum_minor
    return terms_of(environment, purchase).referral.minimum_purchase_minor or 0


def follow_referral(
    environment: Environment, unit: Unit, purchase: Purchase, purchase_lot: Lot, gone_minor: int
) -> Work[BonusTaken]:
    """Takes both bonuses back when too little stays paid of the purchase that earned them, and restores them when
    enough does again. Answers what was taken of the buyer now."""
    yield from unit.note_returns()
    referral = yield from locked_referral(unit, purchase.account_id)
    taken = BonusTaken()
    if referral is not None and referral.earned_by == purchase.purchase_id and referral.state in _DECIDED:
        minimum = minimum_of(environment, purchase, referral)
        is_due = stands(purchase.paid_for_credits_minor, purchase.paid_minor, gone_minor, minimum_minor=minimum)
        if is_due and referral.state is ReferralState.REVERSED:
            yield from _restore(unit, purchase_lot, referral)
        elif not is_due and referral.state is not ReferralState.REVERSED:
            taken = yield from _take(unit, purchase, purchase_lot, referral)
    yield from unit.note_returns()
    return taken


def referral_at_stake(
    environment: Environment, unit: Unit, purchase: Purchase, gone_minor: int
) -> Work[ReferralAtStake | None]:
    """The referral that a refund of this purchase may make fall. No lock is needed to ask."""
    referral = yield from read_referral(purchase.account_id)
    if referral is None or referral.earned_by != purchase.purchase_id or referral.state is ReferralState.REVERSED:
        return None
    if not referral.referee_lot_id:
        return None
    lot = yield from _bonus_lot(unit.account(purchase.account_id), referral.referee_lot_id)
    minimum, paid_for_credits = minimum_of(environment, purchase, referral), purchase.paid_for_credits_minor
    standing = standing_refund_minor(paid_for_credits, purchase.paid_minor, gone_minor, minimum_minor=minimum)
    return ReferralAtStake(standing, lot.spent, 0 if lot.has_expired(unit.now_us) else lot.remaining)


def _take(unit: Unit, purchase: Purchase, purchase_lot: Lot, referral: Referral) -> Work[BonusTaken]:
    purchase_id, taken = purchase.purchase_id, BonusTaken()
    if referral.referee_lot_id:
        referee = unit.account(referral.account_id)
        lot = yield from _bonus_lot(referee, referral.referee_lot_id)
        taken = claw_back_bonus(referee, lot, [purchase_lot], source_id=purchase_id, now_us=unit.now_us, ids=unit.ids)
        referral.referee_taken, referral.referee_taken_purchase, referral.referee_taken_debt = taken
    if referral.referrer_lot_id:
        referrer = unit.account(referral.referrer_account_id)
        lot = yield from _bonus_lot(referrer, referral.referrer_lot_id)
        referral.referrer_taken = take_what_is_left(
            referrer, lot, source_id=purchase_id, now_us=unit.now_us, ids=unit.ids
        )
    referral.state = ReferralState.REVERSED
    referral.purchase_id, referral.fallen_purchase_id = "", purchase_id
    yield from REFERRALS.replace(referral)
    return taken


def _restore(unit: Unit, purchase_lot: Lot, referral: Referral) -> Work[None]:
    if referral.referee_lot_id:
        referee, taken = unit.account(referral.account_id), taken_of_referee(referral)
        referral.referee_lot_id = yield from _restore_side(
            unit, referral, referee, referral.referee_lot_id, taken=taken, purchase_lot=purchase_lot
        )
    if referral.referrer_lot_id:
        referrer, taken = unit.account(referral.referrer_account_id), BonusTaken(lot=referral.referrer_taken)
        if referrer.has_room(taken.total):
            referral.referrer_lot_id = yield from _restore_side(
                unit, referral, referrer, referral.referrer_lot_id, taken=taken, purchase_lot=None
            )
        else:
            referral.referrer_lot_id = ""  # the buyer's money does not wait until its referrer has room
    referral.referee_taken, referral.referee_taken_purchase, referral.referee_taken_debt = BonusTaken()
    referral.referrer_taken = 0
    referral.purchase_id, referral.fallen_purchase_id = referral.earned_by, ""
    capped = referral.bonus and not referral.referrer_lot_id
    referral.state = ReferralState.QUALIFIED if capped else ReferralState.REWARDED
    yield from REFERRALS.replace(referral)


def _restore_side(
    unit: Unit, referral: Referral, account: Account, lot_id: str, *, taken: BonusTaken, purchase_lot: Lot | None
) -> Work[str]:
    """Answers the lot of the bonus from now on."""
    lot = yield from _bonus_lot(account, lot_id)
    payments = yield from payments_of(account, taken.debt, referral.earned_by)
    restored = restore_bonus(
        account,
        lot,
        taken,
        purchase_lot=purchase_lot,
        payments=payments,
        due_us=referral.reward_time_us or 0,
        lifetime_us=unit.terms.returned_lifetime_us,
        source_id=referral.earned_by,
        now_us=unit.now_us,
        ids=unit.ids,
    )
    return lot_id if restored is None else restored.lot_id


def _bonus_lot(account: Account, lot_id: str) -> Work[Lot]:
    yield from fetch_lots(account, [lot_id])
    return account.known_lot(lot_id)
