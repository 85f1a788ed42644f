"""Credits whose money went back, or came back: reversal of purchases and of bonuses."""

from billing_service.domain.account import Account, Ids, Posting
from billing_service.domain.entries import Entry, Place, Transaction, TransactionKind
from billing_service.domain.lots import Lot


def take_back(
    account: Account,
    lot: Lot,
    amount: int,
    *,
    set_aside: bool,
    source_id: str,
    now_us: int,
    ids: Ids,
    caller: str = "",
    description: str = "",
) -> tuple[Transaction, int]:
    """Takes `amount` > 0 microcredits of a purchase: from its own lot first; the rest becomes debt, settled at once from other
    lots. Set aside while Stripe is being asked, else gone. Answers the transaction and how much became debt."""
    posting = Posting(account, now_us)
    destination = Place.SET_ASIDE if set_aside else Place.REVERSED
    from_lot = min(amount, lot.remaining)
    if from_lot:
        posting.out_of_lot(lot, destination, from_lot)
    owed = amount - from_lot
    if owed:
        posting.borrow(destination, owed)
    if set_aside:
        posting.set_aside(amount)
    posting.settle_debt()
    transaction = posting.close(ids("txn"), TransactionKind.PURCHASE_REVERSAL, source_id=source_id, caller=caller, description=description)
    return transaction, owed


def settle_set_aside(account: Account, amount: int, *, source_id: str, now_us: int, ids: Ids) -> Transaction:
    """Books that what was set aside for a refund is gone: Stripe agreed, or the refund's end is known and give-back follows."""
    assert 0 < amount <= account.set_aside
    posting = Posting(account, now_us)
    posting.set_aside(-amount)
    posting.entries.append(Entry(Place.SET_ASIDE, Place.REVERSED, amount))
    return posting.close(ids("txn"), TransactionKind.REFUND_SETTLEMENT, source_id=source_id)


def reinstate(account: Account, lot: Lot, amount: int, *, source_id: str, now_us: int, ids: Ids) -> Transaction:
    """Gives back `amount` > 0 microcredits that reversals of a purchase took: debt first, then to the purchase's lot."""
    return _give_back(
        account, lot, amount, Place.REVERSED, TransactionKind.PURCHASE_REINSTATEMENT, source_id=source_id, now_us=now_us, ids=ids
    )


def take_bonus(account: Account, lot: Lot, *, source_id: str, now_us: int, ids: Ids) -> Transaction | None:
    """Takes back what is left of a bonus; what was spent of it is nobody's debt. None when nothing is left."""
    if lot.remaining == 0:
        return None
    posting = Posting(account, now_us)
    posting.out_of_lot(lot, Place.BONUSES, lot.remaining)
    return posting.close(ids("txn"), TransactionKind.BONUS_REVERSAL, source_id=source_id)


def restore_bonus(account: Account, lot: Lot, amount: int, *, source_id: str, now_us: int, ids: Ids) -> Transaction:
    """Gives back a bonus that was taken: the purchase's money came back after all."""
    return _give_back(account, lot, amount, Place.BONUSES, TransactionKind.GRANT, source_id=source_id, now_us=now_us, ids=ids)


def _give_back(
    account: Account, lot: Lot, amount: int, source: str, kind: TransactionKind, *, source_id: str, now_us: int, ids: Ids
) -> Transaction:
    posting = Posting(account, now_us)
    repaid = min(amount, account.debt)
    if repaid:
        posting.repay(source, repaid)
    if amount > repaid:
        posting.back_into_lot(lot, source, amount - repaid, ids)
    posting.settle_debt()
    return posting.close(ids("txn"), kind, source_id=source_id)
