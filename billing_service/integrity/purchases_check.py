"""What reversals took of an account's purchases, computed again from its history, which comes newest first."""

from collections import defaultdict

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind
from billing_service.domain.sales.clawbacks import Taken

_GONE = (Place.REVERSED, Place.SET_ASIDE)


class PurchasesCheck:
    """How much was taken of each purchase: from its lots, from what had expired, and as debt."""

    def __init__(self) -> None:
        self._moved: dict[str, list[Taken | int]] = defaultdict(list)
        """What was taken, or how much was given back, newest first."""

    def follow(self, transaction: Transaction) -> None:
        """Takes the next older transaction."""
        if transaction.kind is TransactionKind.PURCHASE_REVERSAL:
            gone = [(source, amount) for source, destination, amount in transaction.entries if destination in _GONE]
            expired = sum(amount for source, amount in gone if source == Place.EXPIRED)
            debt = sum(amount for source, amount in gone if source == Place.DEBT)
            total = sum(amount for _, amount in gone)
            self._moved[transaction.source_id].append(Taken(total - expired - debt, expired, debt))
        elif transaction.kind is TransactionKind.PURCHASE_REINSTATEMENT:
            back = sum(amount for source, _, amount in transaction.entries if source == Place.REVERSED)
            self._moved[transaction.source_id].append(back)

    def taken(self) -> dict[str, Taken]:
        """What is taken now of each purchase of which something is. What came back did so in the order of `Taken.first`."""
        found = {purchase_id: _replayed(moved[::-1]) for purchase_id, moved in self._moved.items()}
        return {purchase_id: taken for purchase_id, taken in found.items() if taken.total}


def _replayed(moved: list[Taken | int]) -> Taken:
    """From what happened, oldest first."""
    total = Taken()
    for change in moved:
        if isinstance(change, Taken):
            total = Taken(*map(sum, zip(total, change, strict=True)))
        else:
            back = total.first(change)
            total = Taken(total.lots - back.lots, total.expired - back.expired, total.debt - back.debt)
    return total
