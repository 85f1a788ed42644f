"""What spend limits have used in their present windows, computed again from an account's history, which comes newest
first."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from billing_service.domain.ledger.account import CLOCKS_APART_MAX_US
from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, lot_held
from billing_service.domain.ledger.spend_limits import ACCOUNT_ITSELF, LimitedCharge, SpendLimit
from billing_service.domain.spending.limits import moved
from billing_service.domain.spending.windows import SpendWindow
from billing_service.domain.times import US_PER_S
from billing_service.storage.rows.verification import StoredAccount

LIMIT_SUBJECT: Final = "spend limit "
"""What subjects of these differences begin with: no balance is wrong by them."""
_COUNTED: Final = (
    TransactionKind.DEDUCTION,
    TransactionKind.DEDUCTION_REVERSAL,
    TransactionKind.HOLD,
    TransactionKind.HOLD_RELEASE,
)
_HOUR_US: Final = 3_600 * US_PER_S
_LASTS_US: Final = {
    SpendWindow.DAY: (23 * _HOUR_US, 25 * _HOUR_US),
    SpendWindow.MONTH: (28 * 24 * _HOUR_US - _HOUR_US, 31 * 24 * _HOUR_US + _HOUR_US),
    SpendWindow.NONE: (inf, inf),
}
"""At least and at most, in any time zone."""


@dataclass(slots=True)
class _Tally:
    """What one limit has used at least and at most. They differ where the history alone can't say whether something
    counted: in the microsecond in which the limit was set, and in the hour in which its window may have ended."""

    limit: SpendLimit
    least: int = 0
    most: int = 0
    before: list[int] = field(default_factory=lambda: [0])
    """What the newest charges before the limit come to: of none, of one, of two and so on. A process whose clock is
    behind gives a charge an earlier time than the limit's, and counts it."""

    def charge(self, amount: int, time_us: int) -> None:
        limit = self.limit
        if limit.window_start_us <= time_us < limit.window_start_us + _LASTS_US[SpendWindow(limit.window)][1]:
            self.least += amount if time_us > limit.set_time_us else 0
            self.most += amount if time_us >= limit.set_time_us else 0
            if amount and 0 < limit.set_time_us - time_us <= CLOCKS_APART_MAX_US:
                self.before.append(self.before[-1] + amount)

    def expected(self) -> int:
        """What the limit says it used, where that can be."""
        used, least, most = self.limit.used, max(self.least, 0), max(self.most, 0)
        if any(max(self.least + amount, 0) <= used <= max(self.most + amount, 0) for amount in self.before):
            return used
        return least if used < least else most

    def give_back(self, amount: int, counted_us: int, time_us: int) -> None:
        limit = self.limit
        ends_first, ends_last = (limit.window_start_us + lasts for lasts in _LASTS_US[SpendWindow(limit.window)])
        if counted_us < max(limit.window_start_us, limit.set_time_us) or time_us >= ends_last:
            return
        self.least -= amount
        self.most -= amount if time_us < ends_first and counted_us > limit.set_time_us else 0


class LimitsCheck:
    """Follows what counted at each limit of an account."""

    def __init__(self, stored: StoredAccount) -> None:
        self._holds = stored.holds
        self._charges = stored.limited_charges or {}
        known = stored.limited_charges is not None
        self._tallies = [_Tally(limit) for limit in stored.limits if known or limit.spender_id == ACCOUNT_ITSELF]
        self._reversals: dict[str, list[tuple[int, int]]] = defaultdict(list)
        """By deduction: when, and how much; newest first."""

    def follow(self, transaction: Transaction) -> None:
        """Takes the next older transaction. A correction counts nowhere."""
        if not self._tallies or transaction.kind not in _COUNTED:
            return
        if transaction.kind is TransactionKind.DEDUCTION_REVERSAL:
            undone = sum(entry.amount for entry in transaction.entries if entry.source == Place.USAGE)
            self._reversals[transaction.source_id].append((transaction.create_time_us, undone))
            return
        hold = self._holds.get(transaction.source_id)
        charge = self._charges.get(transaction.transaction_id)
        whose = hold.spender_ids if hold is not None else charge.spender_ids if charge is not None else ()
        charged, returned = moved(transaction)
        for tally in self._named(whose):
            tally.charge(charged, transaction.create_time_us)
            if hold is not None:
                tally.give_back(returned, hold.create_time_us, transaction.create_time_us)
        if transaction.transaction_id in self._reversals:
            self._undo(transaction, charge)

    def compared(self) -> Iterator[tuple[str, object, object]]:
        """(subject, what the history says, what is stored)."""
        for tally in self._tallies:
            limit = tally.limit
            whose = limit.spender_id or "of the account"
            yield f"{LIMIT_SUBJECT}{whose} {SpendWindow(limit.window).name} used", tally.expected(), limit.used

    def _undo(self, original: Transaction, charge: LimitedCharge | None) -> None:
        """What was charged above a hold comes back first, where its capture counted."""
        entries = original.entries
        above = sum(e.amount for e in entries if e.destination == Place.USAGE and not lot_held(e.source))
        counted_us = charge.count_time_us if charge is not None else original.create_time_us
        for time_us, undone in reversed(self._reversals.pop(original.transaction_id)):
            first = min(undone, above)
            above -= first
            for tally in self._named(charge.spender_ids if charge is not None else ()):
                tally.give_back(first, original.create_time_us, time_us)
                tally.give_back(undone - first, counted_us, time_us)

    def _named(self, spender_ids: Sequence[str]) -> Iterator[_Tally]:
        for tally in self._tallies:
            if tally.limit.spender_id == ACCOUNT_ITSELF or tally.limit.spender_id in spender_ids:
                yield tally
