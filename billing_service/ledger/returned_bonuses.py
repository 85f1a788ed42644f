"""What comes back into bonus lots that were taken back: it counts as taken, in the transaction that brings it back."""

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.entries import Place, TransactionKind, is_lot
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.promotions.bonuses import BonusTaken, make_good
from billing_service.domain.promotions.referrals import Referral
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.ledger.settled_debt import fetch_lots_and_heirs, payments_of
from billing_service.storage.rows.purchases import (
    find_purchase,
    read_purchase,
    read_referral,
    set_taken_of_referee,
    set_taken_of_referrer,
)
from billing_service.storage.statements import Work


def note_returns(account: Account, since: int, *, now_us: int, ids: Ids, terms: SpendingTerms) -> Work[int]:
    """Notes what came back into bonus lots that had ended, and went on at once: it is taken as well, and where other
    credits were taken of the buyer in its stead, they are given back. So it does not matter whether a deduction is
    undone, or a hold ends, before a bonus ends or after. Looks at the account's transactions of this unit from the
    position `since` on; answers how many there are now."""
    while since < len(account.transactions):
        transaction = account.transactions[since]
        since += 1
        if transaction.kind is TransactionKind.BONUS_REVERSAL:
            continue
        for source, place, amount in transaction.entries:
            if place == Place.BONUSES and is_lot(source):
                yield from _note_return(account, account.known_lot(source), amount, now_us=now_us, ids=ids, terms=terms)
    return since


def _note_return(account: Account, lot: Lot, amount: int, *, now_us: int, ids: Ids, terms: SpendingTerms) -> Work[None]:
    earned_by = yield from find_purchase(lot.source_id)
    referral = (yield from read_referral(earned_by[0])) if earned_by else None
    if referral is None:
        return
    if lot.lot_id == referral.referrer_lot_id:
        yield from set_taken_of_referrer(referral, referral.referrer_taken + amount)
    elif lot.lot_id == referral.referee_lot_id:
        taken = yield from _make_good(account, referral, amount, now_us=now_us, ids=ids, terms=terms)
        yield from set_taken_of_referee(referral, taken=taken.lot, of_purchase=taken.purchase, as_debt=taken.debt)


def taken_of_referee(referral: Referral) -> BonusTaken:
    """What is taken of the buyer's bonus."""
    return BonusTaken(referral.referee_taken, referral.referee_taken_purchase, referral.referee_taken_debt)


def _make_good(
    account: Account, referral: Referral, amount: int, *, now_us: int, ids: Ids, terms: SpendingTerms
) -> Work[BonusTaken]:
    taken = taken_of_referee(referral)
    purchase = yield from read_purchase(referral.account_id, referral.earned_by)
    assert purchase is not None, "a referral that was decided names its purchase"
    yield from fetch_lots_and_heirs(account, [purchase.lot_id])
    payments = yield from payments_of(account, min(amount, taken.debt), referral.earned_by)
    return make_good(
        account,
        amount,
        taken,
        purchase_lot=account.known_lot(purchase.lot_id),
        payments=payments,
        lifetime_us=terms.returned_lifetime_us,
        source_id=referral.earned_by,
        now_us=now_us,
        ids=ids,
    )
