"""Credits of a purchase whose money went back, or came back."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.ended_lots import back_into_lot
from billing_service.domain.ledger.entries import Entry, Place, Transaction, TransactionKind
from billing_service.domain.ledger.expiry import book_expired
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.ledger.settled_debt import Payment, give_back_debt, lot_of_unknown


class Taken(NamedTuple):
    """Credits of a purchase that reversals took, in microcredits, by where they came from."""

    lots: int = 0
    """From the purchase's lots."""
    expired: int = 0
    """From what its lots had lost to their expiry: nothing that the account had."""
    debt: int = 0
    """Spent before, and owed now."""

    @property
    def total(self) -> int:
        return sum(self)

    def first(self, amount: int) -> "Taken":
        """The part of it that comes back first when `amount` does: debt, then the lots, then what had expired."""
        debt = min(amount, self.debt)
        lots = min(amount - debt, self.lots)
        return Taken(lots, amount - debt - lots, debt)


_GONE = (Place.REVERSED, Place.SET_ASIDE)


def change_of(transaction: Transaction) -> Taken | int:
    """What a transaction took of the purchase that is its source, or how much it gave back; 0: neither."""
    if transaction.kind is TransactionKind.PURCHASE_REVERSAL:
        gone = [(source, amount) for source, destination, amount in transaction.entries if destination in _GONE]
        expired = sum(amount for source, amount in gone if source == Place.EXPIRED)
        debt = sum(amount for source, amount in gone if source == Place.DEBT)
        return Taken(sum(amount for _, amount in gone) - expired - debt, expired, debt)
    if transaction.kind is TransactionKind.PURCHASE_REINSTATEMENT:
        return sum(amount for source, _, amount in transaction.entries if source == Place.REVERSED)
    return 0


class TakenSince(NamedTuple):
    """What reversals of a purchase have taken, followed from one of its transactions to the next."""

    taken: Taken = Taken()
    unexpired: int = 0
    """What had expired, came back, and did not expire again at once. A program of an older schema gives back so: it is
    in the purchase's lot again, or paid a debt."""

    def after(self, transaction: Transaction) -> "TakenSince":
        """Once the purchase's next transaction is counted, too. What comes back does so in the order of
        `Taken.first`."""
        change = change_of(transaction)
        if isinstance(change, Taken):
            return self._replace(taken=Taken(*map(sum, zip(self.taken, change, strict=True))))
        back = self.taken.first(change)
        left = Taken(self.taken.lots - back.lots, self.taken.expired - back.expired, self.taken.debt - back.debt)
        again = sum(
            amount for source, destination, amount in transaction.entries if (source, destination) == _EXPIRED_AGAIN
        )
        return TakenSince(left, self.unexpired + back.expired - again)


_EXPIRED_AGAIN = (Place.REVERSED, Place.EXPIRED)


def claw_back(
    account: Account,
    lots: Sequence[Lot],
    amount: int,
    *,
    expired_taken: int,
    set_aside: bool,
    source_id: str,
    now_us: int,
    ids: Ids,
    caller: str = "",
    description: str = "",
) -> Taken:
    """Takes `amount` > 0 microcredits of a purchase: from its lots; then from what they lost to their expiry, of which
    `expired_taken` is gone already; the rest becomes debt, settled at once from other lots. Set aside while Stripe is
    being asked, else gone; what had expired is gone at once."""
    book_expired(account, lots, now_us=now_us, ids=ids)
    posting = Posting(account, now_us)
    destination = Place.SET_ASIDE if set_aside else Place.REVERSED
    left = amount
    for lot in lots:
        part = min(left, lot.remaining)
        if part:
            posting.out_of_lot(lot, destination, part)
            left -= part
    expired = min(left, sum(lot.expired for lot in lots) - expired_taken)
    if expired:
        posting.entries.append(Entry(Place.EXPIRED, Place.REVERSED, expired))
    taken = Taken(amount - left, expired, left - expired)
    if taken.debt:
        posting.borrow(destination, taken.debt)
    if set_aside:
        posting.set_aside(amount - expired)
    posting.settle_debt()
    posting.close(ids, TransactionKind.PURCHASE_REVERSAL, source_id=source_id, caller=caller, description=description)
    return taken


def settle_set_aside(account: Account, amount: int, *, source_id: str, now_us: int, ids: Ids) -> Transaction:
    """Books that what was set aside for a refund is gone: Stripe agreed, or the refund's end is known and give-back
    follows."""
    assert 0 < amount <= account.set_aside
    posting = Posting(account, now_us)
    posting.set_aside(-amount)
    posting.entries.append(Entry(Place.SET_ASIDE, Place.REVERSED, amount))
    return posting.close(ids, TransactionKind.REFUND_SETTLEMENT, source_id=source_id)


def reinstate(
    account: Account,
    lot: Lot,
    back: Taken,
    *,
    payments: Sequence[Payment],
    lifetime_us: int,
    source_id: str,
    now_us: int,
    ids: Ids,
) -> Transaction:
    """Gives back what reversals of a purchase took: debt first, then to the purchase's lot, and what had expired is
    expired again. Debt that was settled meanwhile goes to the lots that paid it. What no payer is known for goes to a
    promotional lot that ends after `lifetime_us`: the purchase's lot may have no end, and the payer's may have had."""
    posting = Posting(account, now_us)

    def unknown(left: int) -> None:
        posting.into_new_lot(lot_of_unknown(posting, left, payments, lifetime_us=lifetime_us, ids=ids), Place.REVERSED)

    if back.debt:
        give_back_debt(posting, Place.REVERSED, back.debt, payments, unknown, ids=ids)
    if back.lots:
        back_into_lot(posting, lot, Place.REVERSED, back.lots, ids)
    if back.expired:
        posting.entries.append(Entry(Place.REVERSED, Place.EXPIRED, back.expired))
    posting.settle_debt()
    return posting.close(ids, TransactionKind.PURCHASE_REINSTATEMENT, source_id=source_id)
