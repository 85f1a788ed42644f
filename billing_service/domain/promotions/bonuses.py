"""A referral's bonuses: taken back when the referral falls, restored by what was really taken when it stands again.

The one who bought owes all of its bonus: what is left in the bonus lot, then the purchase's credits, then debt. The one
who referred gives back what is left. A lot that was taken back stays ended; a new one comes in its stead, and what
returns to the old one goes on to it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.ended_lots import back_into_lot, end_lot, succeed
from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, is_lot
from billing_service.domain.ledger.expiry import book_expired
from billing_service.domain.ledger.lots import AT_ONCE_US, Lot
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.ledger.settled_debt import Payment, give_back_debt, lot_of_unknown


class FallenBonuses:
    """Which bonus lots were taken back and not filled since, as one account's transactions tell in the order in which
    they were made."""

    def __init__(self) -> None:
        self._source: dict[str, str] = {}
        """Of each lot that is taken back now, what earned it."""

    def follow(self, transaction: Transaction) -> None:
        """Counts the next transaction."""
        if transaction.kind is TransactionKind.BONUS_REVERSAL:
            for source, destination, _ in transaction.entries:
                if destination == Place.BONUSES and is_lot(source):
                    self._source[source] = transaction.source_id
            return
        if not self._source:
            return
        restored = transaction.source_id if transaction.kind is TransactionKind.GRANT else None
        filled = {destination for _, destination, _ in transaction.entries}
        self._source = {
            lot_id: earned for lot_id, earned in self._source.items() if earned != restored and lot_id not in filled
        }

    def lots(self) -> dict[str, str]:
        """Their ids, each with the purchase that earned it."""
        return dict(self._source)


class BonusTaken(NamedTuple):
    """What was taken back of one account's bonus, in microcredits, by where it came from."""

    lot: int = 0
    """Left in the bonus lot, or come back into it since."""
    purchase: int = 0
    """From the purchase's credits, in the stead of what was spent of the bonus."""
    debt: int = 0
    """Owed, in the stead of what was spent."""

    @property
    def total(self) -> int:
        return sum(self)


def claw_back_bonus(
    account: Account, bonus: Lot, purchase_lots: Sequence[Lot], *, source_id: str, now_us: int, ids: Ids
) -> BonusTaken:
    """Takes a bonus back whole: what was spent of it comes from these other lots, and the rest becomes debt. What had
    expired counts as given back. The transaction may be one without entries: the lot ends all the same."""
    book_expired(account, [bonus], now_us=now_us, ids=ids)
    posting = Posting(account, now_us)
    spent = bonus.spent
    left = end_lot(posting, bonus, Place.BONUSES)
    from_purchase = 0
    for lot in purchase_lots:
        part = 0 if lot.has_expired(now_us) else min(spent - from_purchase, lot.remaining)
        if part:
            posting.out_of_lot(lot, Place.BONUSES, part)
            from_purchase += part
    owed = spent - from_purchase
    if owed:
        posting.borrow(Place.BONUSES, owed)
    posting.settle_debt()
    posting.close(ids, TransactionKind.BONUS_REVERSAL, source_id=source_id)
    return BonusTaken(left, from_purchase, owed)


def take_what_is_left(account: Account, bonus: Lot, *, source_id: str, now_us: int, ids: Ids) -> int:
    """Takes back what is left of a bonus, and answers it; what was spent of it is nobody's debt. The lot ends."""
    book_expired(account, [bonus], now_us=now_us, ids=ids)
    posting = Posting(account, now_us)
    left = end_lot(posting, bonus, Place.BONUSES)
    posting.close(ids, TransactionKind.BONUS_REVERSAL, source_id=source_id)
    return left


def restore_bonus(
    account: Account,
    bonus: Lot,
    taken: BonusTaken,
    *,
    purchase_lot: Lot | None,
    payments: Sequence[Payment],
    due_us: int,
    lifetime_us: int,
    source_id: str,
    now_us: int,
    ids: Ids,
) -> Lot | None:
    """Gives back what was taken of a bonus whose lot has ended: debt first, then the purchase's credits, and the rest
    as a new lot, spendable from `due_us` on as was promised. Settled debt whose payers are not known becomes a lot that
    ends after `lifetime_us`: the new lot has no end, and would shake off theirs. None when all of it had expired."""
    capacity = bonus.amount - bonus.expired
    if capacity == 0:
        return None
    if not bonus.ended_to:
        return _refill(account, bonus, taken.lot, source_id=source_id, now_us=now_us, ids=ids)
    lot = _successor(bonus, ids("lot"), capacity, due_us=due_us, now_us=now_us)
    posting = Posting(account, now_us)
    posting.open_lot(lot)
    succeed(posting, bonus, lot.lot_id)
    if taken.debt:
        _give_back_debt(posting, taken.debt, payments, lifetime_us=lifetime_us, ids=ids)
    if taken.purchase:
        assert purchase_lot is not None, "what was taken of a purchase goes back to it"
        back_into_lot(posting, purchase_lot, Place.BONUSES, taken.purchase, ids)
    if taken.lot:
        posting.into_lot(lot, Place.BONUSES, taken.lot)
    posting.settle_debt()
    posting.close(ids, TransactionKind.GRANT, source_id=source_id)
    return lot


def _give_back_debt(posting: Posting, amount: int, payments: Sequence[Payment], *, lifetime_us: int, ids: Ids) -> None:
    def unknown(left: int) -> None:
        posting.into_new_lot(lot_of_unknown(posting, left, payments, lifetime_us=lifetime_us, ids=ids), Place.BONUSES)

    give_back_debt(posting, Place.BONUSES, amount, payments, unknown, ids=ids)


def _successor(bonus: Lot, lot_id: str, amount: int, *, due_us: int, now_us: int) -> Lot:
    """The empty lot that comes in the stead of a bonus lot that has ended."""
    return Lot(
        lot_id=lot_id,
        category=bonus.category,
        priority=bonus.priority,
        amount=amount,
        remaining=0,
        create_time_us=now_us,
        effective_time_us=due_us if due_us > now_us else AT_ONCE_US,
        expire_time_us=None,
        source_id=bonus.source_id,
    )


def _refill(account: Account, bonus: Lot, amount: int, *, source_id: str, now_us: int, ids: Ids) -> Lot:
    """Gives back a bonus whose lot did not end: a program of an older schema took what was left of it, and nothing
    else."""
    posting = Posting(account, now_us)
    if amount:
        back_into_lot(posting, bonus, Place.BONUSES, amount, ids)
    posting.settle_debt()
    posting.close(ids, TransactionKind.GRANT, source_id=source_id)
    return bonus


def make_good(
    account: Account,
    back: int,
    taken: BonusTaken,
    *,
    purchase_lot: Lot,
    payments: Sequence[Payment],
    lifetime_us: int,
    source_id: str,
    now_us: int,
    ids: Ids,
) -> BonusTaken:
    """After `back` microcredits came back into a bonus lot that had ended: less of the bonus was spent, so that much of
    what was taken in its stead is given back, debt first. Answers what is taken then."""
    debt = min(back, taken.debt)
    purchase = min(back - debt, taken.purchase)
    if debt or purchase:
        posting = Posting(account, now_us)
        if debt:
            _give_back_debt(posting, debt, payments, lifetime_us=lifetime_us, ids=ids)
        if purchase:
            back_into_lot(posting, purchase_lot, Place.BONUSES, purchase, ids)
        posting.settle_debt()
        posting.close(ids, TransactionKind.GRANT, source_id=source_id)
    return BonusTaken(taken.lot + back, taken.purchase - purchase, taken.debt - debt)
