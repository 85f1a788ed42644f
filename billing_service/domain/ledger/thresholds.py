"""Thresholds that an account crosses by what was decided on it: what others wait to be told."""

from collections import Counter
from collections.abc import Iterable, Mapping

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.entries import Place
from billing_service.domain.ledger.events import BusinessEvent, EventKind


def tell_crossings(accounts: Iterable[Account], ids: Ids) -> None:
    """Adds an event to each account for each threshold that it crossed since it was last written."""
    for account in accounts:
        if account.low_balance and account.transactions:
            _tell_low_balance(account, ids)
        if account.debt and account.transactions and not _debt_before(account):
            detail = {"debt_microcredits": account.debt}
            last = account.transactions[-1]
            event = BusinessEvent(ids("evt"), EventKind.DEBT, last.create_time_us, last.transaction_id, detail)
            account.events.append(event)


def tell_unpriced(
    account: Account, detail: Mapping[str, str], transaction_id: str, charged: int, *, now_us: int, ids: Ids
) -> None:
    """Adds the event of a usage without a price, for which a transaction charged `charged` microcredits. `detail` says
    of which model, and what the card lacks."""
    told: dict[str, str | int] = {**detail, "charged_microcredits": charged}
    account.events.append(BusinessEvent(ids("evt"), EventKind.UNPRICED_USAGE, now_us, transaction_id, told))


def _debt_before(account: Account) -> int:
    """What it owed before the decided transactions."""
    moved = [entry for transaction in account.transactions for entry in transaction.entries]
    borrowed = sum(entry.amount for entry in moved if entry.source == Place.DEBT)
    settled = sum(entry.amount for entry in moved if entry.destination == Place.DEBT)
    return account.debt - borrowed + settled


def _tell_low_balance(account: Account, ids: Ids) -> None:
    """What time took since the last transaction counts as taken now: nothing else is written when it does. A freeze is
    no matter of this."""
    last = account.transactions[-1]
    left = account.spendable(last.create_time_us) - account.debt
    if left < account.low_balance <= _available_before(account):
        detail = {"available_microcredits": max(left, 0), "low_balance_microcredits": account.low_balance}
        event = BusinessEvent(ids("evt"), EventKind.LOW_BALANCE, last.create_time_us, last.transaction_id, detail)
        account.events.append(event)


def _available_before(account: Account) -> int:
    """What its lots offered right after the last transaction that was written, less what it owed."""
    came = Counter[str]()
    for transaction in account.transactions:
        for source, destination, amount in transaction.entries:
            came[source] -= amount
            came[destination] += amount
    then_us = account.last_time_us or account.transactions[0].create_time_us
    offered = sum(
        lot.remaining - came[lot.lot_id]
        for lot in account.lots
        if lot.effective_time_us <= then_us and not lot.has_expired(then_us)
    )
    return offered - _debt_before(account)
