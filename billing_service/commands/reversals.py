"""Keeps a purchase's credits in step with its money, by the absolute target: any order and repetition of news ends alike."""

from billing_service.commands.unit import Unit
from billing_service.domain.account import Account
from billing_service.domain.lots import Lot
from billing_service.domain.records import Purchase, Referral
from billing_service.domain.referrals import ReferralState
from billing_service.domain.reversals import reversed_minor, target_credits
from billing_service.domain.takebacks import reinstate, restore_bonus, take_back, take_bonus
from billing_service.storage.ledger_rows import fetch_lots
from billing_service.storage.purchase_rows import PURCHASES, REFERRALS, read_referral, refunds_of
from billing_service.storage.statements import Work
from billing_service.storage.store import ConflictError

TakenBack = tuple[int, int]
"""Microcredits taken, and the part of them that became debt."""


def purchase_accounts(account_id: str) -> Work[list[str]]:
    """The accounts that news of a purchase may touch: the buyer, and its referrer for the bonus."""
    referral = yield from read_referral(account_id)
    return [account_id] if referral is None else [account_id, referral.referrer_account_id]


def locked_referral(unit: Unit, account_id: str) -> Work[Referral | None]:
    """The buyer's referral, its referrer locked. Runs the unit again when it was bound after the locks were chosen."""
    referral = yield from read_referral(account_id)
    if referral is not None and referral.referrer_account_id not in unit.accounts:
        raise ConflictError("a referral was applied meanwhile")
    return referral


def purchase_lot(unit: Unit, purchase: Purchase) -> Work[Lot]:
    """The purchase's own lot, also when it is empty."""
    account = unit.account(purchase.account_id)
    yield from fetch_lots(account, [purchase.lot_id])
    lot = account.lot(purchase.lot_id)
    assert lot is not None, "a completed purchase has a lot"
    return lot


def follow_money(unit: Unit, purchase: Purchase, *, set_aside: bool = False, caller: str = "", description: str = "") -> Work[TakenBack]:
    """Moves what the target of a completed purchase differs from what was taken; answers what was taken now.

    Before completion it only notes the money: the target applies when the credits are granted.
    """
    refunds = yield from refunds_of(purchase)
    purchase.refunded_minor = sum(refund.amount_minor for refund in refunds if refund.status.counts)
    taken, owed = 0, 0
    if purchase.lot_id:
        gone = reversed_minor(purchase.paid_minor, purchase.refunded_minor, purchase.disputed_minor)
        change = target_credits(purchase.credits, purchase.paid_minor, gone) - purchase.reversed
        lot = yield from purchase_lot(unit, purchase)
        account = unit.account(purchase.account_id)
        about = {"source_id": purchase.purchase_id, "now_us": unit.now_us, "ids": unit.ids}
        if change > 0:
            _, owed = take_back(account, lot, change, set_aside=set_aside, caller=caller, description=description, **about)  # type: ignore[arg-type]
            taken = change
        elif change < 0:
            reinstate(account, lot, -change, **about)  # type: ignore[arg-type]
        purchase.reversed += change
        yield from _follow_bonus(unit, purchase, all_gone=0 < purchase.paid_minor == gone)
    yield from PURCHASES.replace(purchase)
    return taken, owed


def _follow_bonus(unit: Unit, purchase: Purchase, *, all_gone: bool) -> Work[None]:
    """Takes both bonuses back when the purchase that brought them went back in full, and restores them when it came back."""
    referral = yield from locked_referral(unit, purchase.account_id)
    if referral is None or referral.purchase_id != purchase.purchase_id:
        return
    rewarded = referral.state in (ReferralState.REWARDED, ReferralState.QUALIFIED)
    if all_gone == (referral.state is ReferralState.REVERSED) or not (rewarded or referral.state is ReferralState.REVERSED):
        return
    sides = (
        (unit.account(referral.account_id), referral.referee_lot_id, referral.referee_taken),
        (unit.account(referral.referrer_account_id), referral.referrer_lot_id, referral.referrer_taken),
    )
    moved = []
    for account, lot_id, was_taken in sides:
        moved.append((yield from _move_bonus(unit, account, lot_id, was_taken, purchase.purchase_id, all_gone=all_gone)))
    referral.referee_taken, referral.referrer_taken = moved
    if all_gone:
        referral.state = ReferralState.REVERSED
    else:
        referral.state = ReferralState.REWARDED if referral.referrer_lot_id else ReferralState.QUALIFIED
    yield from REFERRALS.replace(referral)


def _move_bonus(unit: Unit, account: Account, lot_id: str, was_taken: int, purchase_id: str, *, all_gone: bool) -> Work[int]:
    """Answers how much of the bonus is taken back now."""
    if not lot_id:
        return 0
    yield from fetch_lots(account, [lot_id])
    lot = account.lot(lot_id)
    assert lot is not None
    if all_gone:
        left = lot.remaining
        take_bonus(account, lot, source_id=purchase_id, now_us=unit.now_us, ids=unit.ids)
        return left
    if was_taken:
        restore_bonus(account, lot, was_taken, source_id=purchase_id, now_us=unit.now_us, ids=unit.ids)
    return 0
