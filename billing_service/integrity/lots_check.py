"""What is kept beside an account's lots, computed again from its history, which comes newest first."""

from collections import Counter
from collections.abc import Iterator, Mapping

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, is_lot
from billing_service.domain.ledger.lots import Category
from billing_service.storage.rows.verification import StoredLot


class LotsCheck:
    """What lots lost to their expiry, and which bonuses were taken back and never restored. Both are stored as of the
    version that was caught up to."""

    def __init__(self, caught_up_version: int, version: int) -> None:
        self._caught_up_version = caught_up_version
        self._lags = version > caught_up_version
        self._expired: Counter[str] = Counter()
        self._bonuses: set[str] = set()
        self._filled: dict[str, int] = {}
        """For each lot, the version at which something last came into it."""
        self._taken: dict[str, int] = {}
        """For each source of a bonus, the version at which it was last taken back."""
        self._granted: dict[str, int] = {}
        """For each source of a bonus, the version at which it was last granted or restored."""

    def follow(self, transaction: Transaction) -> None:
        """Takes the next older transaction."""
        counts = transaction.version <= self._caught_up_version
        if transaction.kind is TransactionKind.BONUS_REVERSAL and counts:
            self._taken.setdefault(transaction.source_id, transaction.version)
        elif transaction.kind is TransactionKind.GRANT:
            self._granted.setdefault(transaction.source_id, transaction.version)
        for source, destination, amount in transaction.entries:
            if destination == Place.EXPIRED and is_lot(source):
                self._expired[source] += amount * counts
            elif is_lot(destination):
                self._filled.setdefault(destination, transaction.version)
                if source == Place.BONUSES or is_lot(source):
                    self._bonuses.add(destination)

    def compared(
        self, stored: Mapping[str, StoredLot], unexpired: Mapping[str, int]
    ) -> Iterator[tuple[str, object, object]]:
        """(subject, what the history says, what is stored)."""
        for lot_id, lot in stored.items():
            yield f"lot {lot_id} expired", self._expired[lot_id] - unexpired.get(lot_id, 0), lot.expired
            if lot.ended_to:
                # An older program that ran beside returns credits to lots that have ended; they end with the lot.
                is_spendable = lot.remaining > 0 and lot.expire_time_us is None and not self._lags
                yield f"lot {lot_id} ended with something left", False, is_spendable
                yield f"lot {lot_id} ended to a lot", is_lot(lot.ended_to), lot.ended_to in stored
            elif lot.category == Category.PROMOTIONAL and lot_id in self._bonuses:
                came = max(self._filled[lot_id], self._granted.get(lot.source_id, 0))
                yield f"lot {lot_id} ended", self._taken.get(lot.source_id, 0) > came, False
