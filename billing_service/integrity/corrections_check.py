"""What corrections and reversals did to deductions, computed again from an account's history, which comes newest
first."""

from collections import Counter
from collections.abc import Iterator, Mapping

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind
from billing_service.domain.spending.price_records import PriceDamagedError
from billing_service.domain.spending.receipts import correction_of


class CorrectionsCheck:
    """Each version of the rate card corrects a deduction once, and no more comes back than was taken."""

    def __init__(self) -> None:
        self._moved: dict[tuple[str, str], int] = {}
        """By deduction and version."""
        self._changed: Counter[str] = Counter()
        """By deduction, what was charged besides, less what came back."""
        self._wrong: list[tuple[str, object, object]] = []

    def follow(self, transaction: Transaction) -> None:
        """Takes the next older transaction."""
        name, about = transaction.transaction_id, transaction.source_id
        if transaction.kind is TransactionKind.DEDUCTION_REVERSAL:
            self._changed[about] -= _used(transaction, returned=True)
        elif transaction.kind is TransactionKind.DEDUCTION and name in self._changed:
            left = _used(transaction) + self._changed.pop(name)
            if left < 0:
                self._wrong.append((f"deduction {name} left", "0 or more", left))
        elif transaction.kind is TransactionKind.CORRECTION:
            try:
                made = correction_of(transaction)
            except PriceDamagedError as damage:
                self._wrong.append((f"{name} price record", "a price", str(damage)))
                return
            self._changed[about] += made.moved
            which = (about, made.price.rate_card_version)
            if which in self._moved:
                self._wrong.append((f"deduction {about} corrected by {which[1]}", "once", "again"))
            self._moved[which] = made.moved

    def compared(self, stored: Mapping[tuple[str, str], int]) -> Iterator[tuple[str, object, object]]:
        """(subject, what the history says, what is stored). `stored`: what was moved, by deduction and version."""
        yield from self._wrong
        for deduction_id in self._changed:
            yield f"deduction {deduction_id}", "a transaction", "none"
        for which in sorted(self._moved.keys() | stored.keys()):
            subject = f"deduction {which[0]} corrected by {which[1]}"
            yield subject, self._moved.get(which, 0), stored.get(which, 0)


def _used(transaction: Transaction, *, returned: bool = False) -> int:
    """What a transaction moved to USAGE, or out of it again."""
    return sum(
        entry.amount
        for entry in transaction.entries
        if (entry.source if returned else entry.destination) == Place.USAGE
    )
