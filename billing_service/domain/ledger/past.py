"""What an account had in the past: its state now, and its transactions undone from the newest back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, is_lot, lot_held

SNAPSHOT_EVERY: Final = 1_000
"""Versions from one snapshot of an account to the next."""


@dataclass(slots=True)
class PastState:
    """What an account had after one of its versions, in microcredits."""

    version: int
    debt: int
    held: int
    remaining: dict[str, int] = field(default_factory=dict)
    """What each lot had left, where it had anything."""

    def undo(self, transaction: Transaction) -> None:
        """Goes back over its newest transaction."""
        assert transaction.version == self.version, "a chain is undone from its newest link, one by one"
        self._move(transaction, -1)
        self.version -= 1

    def count(self, transaction: Transaction) -> None:
        """Counts what had happened then and was booked later. The version stays."""
        self._move(transaction, 1)

    def copy(self) -> "PastState":
        return PastState(self.version, self.debt, self.held, dict(self.remaining))

    def _move(self, transaction: Transaction, sign: int) -> None:
        for source, destination, amount in transaction.entries:
            self._change(source, -amount * sign)
            self._change(destination, amount * sign)

    def _change(self, place: str, amount: int) -> None:
        if is_lot(place):
            left = self.remaining.get(place, 0) + amount
            if left:
                self.remaining[place] = left
            else:
                self.remaining.pop(place, None)
        elif lot_held(place):
            self.held += amount
        elif place == Place.DEBT:
            self.debt -= amount


@dataclass(slots=True)
class Rewind:
    """Goes back along a chain to a time. A transaction had happened by a time if the account had not been later before
    it: where a clock ran ahead, what followed counts from the latest time that it had shown."""

    state: PastState
    time_us: int
    booked_later: list[Transaction] = field(default_factory=list)
    """Ends of holds that are undone, the newest first."""
    _before: list[Transaction] = field(default_factory=list)
    """Made by that time, as far as the walk shows. Undone, too, if an older one was not."""

    def step(self, transaction: Transaction) -> None:
        """Takes the next older transaction."""
        if transaction.create_time_us <= self.time_us:
            self._before.append(transaction)
            return
        for passed in (*self._before, transaction):
            self._undo(passed)
        self._before.clear()

    def end(self) -> PastState:
        """The state at that time. A hold that had ended counts as ended, although its end was booked later."""
        count_ended(self.state, self.booked_later, self.time_us)
        return self.state

    def _undo(self, transaction: Transaction) -> None:
        note_booked_later(self.booked_later, transaction)
        self.state.undo(transaction)


def note_booked_later(noted: list[Transaction], transaction: Transaction) -> None:
    """Notes an end of a hold that is undone. Lots end by their times alone, so that the booking of their expiry adds
    nothing."""
    if transaction.effective_time_us and transaction.kind is not TransactionKind.EXPIRY:
        noted.append(transaction)


def count_ended(state: PastState, booked_later: list[Transaction], time_us: int) -> None:
    """Counts the holds that had ended by a time, in the order in which they were booked."""
    for transaction in reversed(booked_later):
        if transaction.effective_time_us <= time_us:
            state.count(transaction)


class SnapshotMaker:
    """Makes the snapshots that an account lacks, on the way back from its state now."""

    def __init__(self, state: PastState, every: int = SNAPSHOT_EVERY) -> None:
        """`every`: versions from one snapshot to the next."""
        self._state = state
        self._every = every
        self._made: list[tuple[PastState, str]] = []
        self._latest_us: dict[int, int] = {}

    def step(self, transaction: Transaction) -> None:
        """Takes the next older transaction, the newest first."""
        if transaction.version % self._every == 0:
            self._made.append((self._state.copy(), transaction.transaction_id))
        part = -(-transaction.version // self._every)
        self._latest_us[part] = max(self._latest_us.get(part, 0), transaction.create_time_us)
        self._state.undo(transaction)

    def end(self, reached_us: int) -> list[tuple[PastState, str, int]]:
        """State, newest transaction and latest time of each snapshot, the oldest first. `reached_us`: the latest time
        before the walk's end."""
        made = []
        for state, transaction_id in reversed(self._made):
            reached_us = max(reached_us, self._latest_us[state.version // self._every])
            made.append((state, transaction_id, reached_us))
        return made


def past_state(version: int, debt: int, held: int, remaining: Mapping[str, int]) -> PastState:
    """Of lots, those that have something left."""
    return PastState(version, debt, held, {lot_id: left for lot_id, left in remaining.items() if left})
