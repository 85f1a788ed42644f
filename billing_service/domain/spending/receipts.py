"""What a charge was, computed from its transaction alone: no rate card is asked, so a receipt stays the same for
ever."""

from typing import NamedTuple

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind
from billing_service.domain.spending.price_records import PricedUsage, decode_record


class Charge(NamedTuple):
    """What a transaction charged, in microcredits: charged + uncollected = amount."""

    charged: int
    """What was taken, debt included."""
    amount: int
    """What all of it costs."""
    priced: PricedUsage | None
    """None where the caller named the amount."""

    @property
    def uncollected(self) -> int:
        """What could not be taken."""
        return self.amount - self.charged


def charge_of(transaction: Transaction) -> Charge | None:
    """The charge that a transaction with its entries is; None for one that charges nothing. Raises PriceDamagedError
    where its record is none."""
    if transaction.kind is not TransactionKind.DEDUCTION:
        return None
    charged = sum([entry.amount for entry in transaction.entries if entry.destination == Place.USAGE])
    if not transaction.price_record:
        return Charge(charged, charged, None)
    amount, priced = decode_record(transaction.price_record)
    return Charge(charged, amount, priced)
