"""What a charge was, computed from its transaction alone: no rate card is asked, so a receipt stays the same for
ever."""

from collections.abc import Sequence
from typing import NamedTuple

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, is_lot, lot_held
from billing_service.domain.spending.price_records import (
    PriceDamagedError,
    PricedUsage,
    UnpricedUsage,
    decode_record,
)
from billing_service.domain.spending.pricing import Price


class Charge(NamedTuple):
    """What a transaction charged, in microcredits: charged + uncollected = amount."""

    charged: int
    """What was taken, debt included."""
    amount: int
    """What all of it costs, less `before`."""
    priced: PricedUsage | None
    """None where the caller named the amount, or the card had no price."""
    unpriced: UnpricedUsage | None = None
    """A usage that the card had no price for: `amount` is an estimate."""
    before: int = 0
    """What an earlier charge of the same session had taken of the price."""

    @property
    def uncollected(self) -> int:
        """What could not be taken."""
        return self.amount - self.charged


class Reversal(NamedTuple):
    """What gave back a part of a charge."""

    transaction_id: str
    amount: int
    """Microcredits of the charge, above 0."""
    create_time_us: int


class Correction(NamedTuple):
    """What brought a charge to another price."""

    transaction_id: str
    moved: int
    """Microcredits that were charged besides; below 0: given back."""
    price: Price
    """Of all of the usage, by another rate card."""
    create_time_us: int


class Receipt(NamedTuple):
    """Why a charge is what it is."""

    transaction: Transaction
    charge: Charge
    reversed: int
    """Microcredits that all reversals together gave back."""
    reversals: Sequence[Reversal]
    """Oldest first; perhaps not all of very many."""
    corrections: Sequence[Correction] = ()
    """Oldest first."""

    @property
    def corrected(self) -> int:
        """Microcredits that all corrections together charged besides; below 0: gave back."""
        return sum(correction.moved for correction in self.corrections)

    @property
    def balance_before(self) -> int:
        """Microcredits, less debt."""
        return self.transaction.balance_after - self.transaction.amount

    @property
    def draws(self) -> list[tuple[str, int]]:
        """Each lot that the charge drew, and how many microcredits. Debt that was settled on the way is no part of
        it."""
        charged = [entry for entry in self.transaction.entries if entry.destination == Place.USAGE]
        drawn = [(lot_held(entry.source) or entry.source, entry.amount) for entry in charged]
        return [(lot_id, amount) for lot_id, amount in drawn if is_lot(lot_id)]


def reversal_of(transaction: Transaction) -> Reversal:
    """What a reversal with its entries gave back."""
    given_back = sum([entry.amount for entry in transaction.entries if entry.source == Place.USAGE])
    return Reversal(transaction.transaction_id, given_back, transaction.create_time_us)


def correction_of(transaction: Transaction) -> Correction:
    """What a correction with its entries did. Raises PriceDamagedError where its record is none of a price."""
    priced = decode_record(transaction.price_record).priced
    if priced is None:
        raise PriceDamagedError("a correction has a price")
    moved = sum(
        (e.destination == Place.USAGE) * e.amount - (e.source == Place.USAGE) * e.amount for e in transaction.entries
    )
    return Correction(transaction.transaction_id, moved, priced.price, transaction.create_time_us)


def charge_of(transaction: Transaction) -> Charge | None:
    """The charge that a transaction with its entries is; None for one that charges nothing. Raises PriceDamagedError
    where its record is none."""
    if transaction.kind is not TransactionKind.DEDUCTION:
        return None
    charged = sum([entry.amount for entry in transaction.entries if entry.destination == Place.USAGE])
    if not transaction.price_record:
        return Charge(charged, charged, None)
    return Charge(charged, *decode_record(transaction.price_record))
