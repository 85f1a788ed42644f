"""What spend limits let through, and how charges are counted at them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, lot_held
from billing_service.domain.ledger.spend_limits import ACCOUNT_ITSELF, LimitedCharge, SpendLimit
from billing_service.domain.refusals.spending import spend_limit_reached
from billing_service.domain.spending.windows import SpendWindow, Windows, shown_time

SPENDERS_MAX = 4
"""Spenders that one charge may name, those of its API key included."""
LIMITS_MAX = 1_000
"""Limits of one account: they are read in one piece."""


class Standing(NamedTuple):
    """A limit as it stands at one moment."""

    limit: SpendLimit
    used: int
    reset_us: int | None
    """When its window ends; None: never."""

    @property
    def left(self) -> int:
        """Microcredits; 0 where charges that had to be recorded went past the limit."""
        return max(self.limit.amount_max - self.used, 0)


def standing(limit: SpendLimit, windows: Windows, now_us: int) -> Standing:
    start_us, end_us = windows.edges(SpendWindow(limit.window), now_us)
    return Standing(limit, limit.used if limit.window_start_us == start_us else 0, end_us)


def check_limits(account: Account, spender_ids: Sequence[str], amount: int, windows: Windows, now_us: int) -> None:
    """Raises SPEND_LIMIT_REACHED, which names the first limit without room for `amount`: the account's before its
    spenders' in their order, of each the day's before the month's and the endless one."""
    for limit in _named(account, spender_ids):
        stands = standing(limit, windows, now_us)
        if amount and stands.left < amount:
            window = SpendWindow(limit.window).name
            raise spend_limit_reached(limit.spender_id, window, stands.left, shown_time(stands.reset_us))


def room(account: Account, spender_ids: Sequence[str], amount: int, windows: Windows, now_us: int) -> int:
    """As much of `amount` as all limits have room for."""
    return min([amount, *(standing(limit, windows, now_us).left for limit in _named(account, spender_ids))])


def tightest(account: Account, spender_ids: Sequence[str], windows: Windows, now_us: int) -> Standing | None:
    """The limit that has the least room; of several, the one that is named first. None where there is no limit."""
    standings = [standing(limit, windows, now_us) for limit in _named(account, spender_ids)]
    return min(standings, key=lambda stands: stands.left, default=None)


def count_decided(account: Account, spender_ids: Sequence[str], windows: Windows) -> None:
    """Counts the transactions that were decided and are not counted yet. What comes under a hold counts whole with it;
    what it gives back is taken off in the window of the hold. A reversal is no matter of this: see `give_back`. A
    correction counts nowhere: the price changed, not the usage."""
    for transaction in account.transactions[account.counted_at_limits :] if account.limits_version else ():
        if transaction.kind is TransactionKind.CORRECTION:
            continue
        hold = account.holds.get(transaction.source_id)
        whose = spender_ids if hold is None else hold.spender_ids
        charged, returned = moved(transaction)
        if charged:
            _count(account, whose, charged, windows, transaction.create_time_us)
        if returned and hold is not None:
            now_us, counted_us = transaction.create_time_us, hold.create_time_us
            give_back(account, whose, returned, windows, counted_us=counted_us, now_us=now_us)
        if transaction.kind is TransactionKind.DEDUCTION:
            counted = [spender_id for spender_id in whose if account.limits[spender_id]]
            if counted or hold is not None:
                count_time_us = transaction.create_time_us if hold is None else hold.create_time_us
                charge = LimitedCharge(transaction.transaction_id, counted, count_time_us)
                account.limited_charges.append(charge)
    account.counted_at_limits = len(account.transactions)


def give_back(
    account: Account, spender_ids: Sequence[str], amount: int, windows: Windows, *, counted_us: int, now_us: int
) -> None:
    """Takes what is undone of a charge off the limits that it counted at, where their windows have not ended since."""
    for limit in _named(account, spender_ids):
        used = standing(limit, windows, now_us).used
        if used and counted_us >= max(limit.window_start_us, limit.set_time_us):
            limit.used = max(used - amount, 0)
            account.changed_limits[limit.spender_id, limit.window] = limit


def _count(account: Account, spender_ids: Sequence[str], amount: int, windows: Windows, now_us: int) -> None:
    for limit in _named(account, spender_ids):
        limit.used = standing(limit, windows, now_us).used + amount
        limit.window_start_us = windows.edges(SpendWindow(limit.window), now_us).start_us
        account.changed_limits[limit.spender_id, limit.window] = limit


def moved(transaction: Transaction) -> tuple[int, int]:
    """What went from what the account has into its usage and holds, and what came back from its holds."""
    charged = returned = 0
    for source, destination, amount in transaction.entries:
        was_held = bool(lot_held(source))
        if (destination == Place.USAGE or lot_held(destination)) and not was_held:
            charged += amount
        elif was_held and destination != Place.USAGE:
            returned += amount
    return charged, returned


def _named(account: Account, spender_ids: Sequence[str]) -> Iterator[SpendLimit]:
    """The limits that a charge counts at, in the order in which they are named. Posting has fetched them."""
    if account.limits_version:
        for spender_id in (ACCOUNT_ITSELF, *spender_ids):
            yield from account.limits[spender_id]
