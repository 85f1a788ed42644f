"""A charge as it stands: what is left of it after reversals undid parts of its usage and corrections changed its price.
Reversals and corrections share what comes back, so that nothing comes back twice.

A reversal undoes a share of the usage. A correction changes what the rest of the usage costs. So it does not matter for
a later price which of them was first.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, lot_held


class Part(NamedTuple):
    """What a charge drew from one place: a lot, or DEBT."""

    place: str
    amount: int


class StandingCharge:
    """Follows a charge from its transaction on."""

    def __init__(
        self, transaction: Transaction, already_reversed: int = 0, changes: Sequence[Transaction] = ()
    ) -> None:
        """`changes`: all its reversals and corrections with their entries, in the order of their versions. Of a charge
        that has no correction they need not be known: `already_reversed` says as much."""
        self._drawn = drawn_by(transaction)
        self.charged = self.net = sum(part.amount for part in self._drawn)
        """Microcredits that it took at first, and that it has taken by now."""
        self.share = Fraction(1)
        """The part of its usage that was not undone, 0 to 1."""
        if not changes:
            self.undo(already_reversed)
        for change in changes:
            returned = sum(entry.amount for entry in change.entries if entry.source == Place.USAGE)
            if change.kind is TransactionKind.DEDUCTION_REVERSAL:
                self.undo(returned)
            else:
                self.lower(returned)
                self.raise_by(drawn_by(change))

    @property
    def debt(self) -> int:
        """Microcredits of the net charge that had become debt. They come back first."""
        return sum(part.amount for part in self._drawn if part.place == Place.DEBT)

    @property
    def places(self) -> list[str]:
        """Lots and DEBT that something of it may come back to."""
        return [part.place for part in self._drawn]

    def undo(self, amount: int) -> list[Part]:
        """Takes back `amount` because a part of the usage was undone; answers where it comes back to, in order."""
        if amount:
            self.share *= Fraction(self.net - amount, self.net)
        return self.lower(amount)

    def lower(self, amount: int) -> list[Part]:
        """Takes back `amount` because the usage costs less: debt first, then lots, last drawn first."""
        assert 0 <= amount <= self.net, "no more comes back than was taken"
        self.net -= amount
        back: list[Part] = []
        debts = [at for at, part in enumerate(self._drawn) if part.place == Place.DEBT]
        lots = [at for at, part in enumerate(self._drawn) if part.place != Place.DEBT]
        for at in (*debts, *reversed(lots)):
            place, left = self._drawn[at]
            taken = min(amount, left)
            if taken:
                amount -= taken
                self._drawn[at] = Part(place, left - taken)
                back.append(Part(place, taken))
        return back

    def raise_by(self, drawn: Sequence[Part]) -> None:
        """Notes what was drawn besides, because the usage costs more."""
        self._drawn.extend(drawn)
        self.net += sum(part.amount for part in drawn)


def drawn_by(transaction: Transaction) -> list[Part]:
    """What went to USAGE, in the order in which it was drawn. What was captured of a hold was drawn from its lot."""
    return [
        Part(lot_held(entry.source) or entry.source, entry.amount)
        for entry in transaction.entries
        if entry.destination == Place.USAGE
    ]
