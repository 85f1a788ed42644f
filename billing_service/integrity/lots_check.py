"""What is kept beside an account's lots, computed again from its history, which comes newest first."""

from collections import Counter
from collections.abc import Iterator, Mapping

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, is_lot
from billing_service.domain.ledger.lots import Category
from billing_service.storage.rows.verification import StoredLot


class LotsCheck:
    """What lots lost to their expiry, and which bonuses were taken back and never restored."""

    def __init__(self) -> None:
        self._expired: Counter[str] = Counter()
        self._filled: dict[str, int] = {}
        """For each lot, the version at which a bonus last came into it."""
        self._taken: dict[str, int] = {}
        """For each source of a bonus, the version at which it was last taken back."""

    def follow(self, transaction: Transaction) -> None:
        """Takes the next older transaction."""
        if transaction.kind is TransactionKind.BONUS_REVERSAL:
            self._taken.setdefault(transaction.source_id, transaction.version)
        for source, destination, amount in transaction.entries:
            if destination == Place.EXPIRED and is_lot(source):
                self._expired[source] += amount
            elif is_lot(destination) and (source == Place.BONUSES or is_lot(source)):
                self._filled.setdefault(destination, transaction.version)

    def compared(self, stored: Mapping[str, StoredLot]) -> Iterator[tuple[str, object, object]]:
        """(subject, what the history says, what is stored)."""
        for lot_id, lot in stored.items():
            yield f"lot {lot_id} expired", self._expired[lot_id], lot.expired
            if lot.ended_to:
                yield f"lot {lot_id} ended with something left", 0, lot.remaining
                yield f"lot {lot_id} ended to a lot", is_lot(lot.ended_to), lot.ended_to in stored
            elif lot.category == Category.PROMOTIONAL and lot_id in self._filled:
                yield f"lot {lot_id} ended", self._taken.get(lot.source_id, 0) > self._filled[lot_id], False
