"""Who paid an account's debts lately: read along its chain, where something that became debt comes back."""

from collections.abc import Iterable

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import Transaction, is_lot
from billing_service.domain.ledger.settled_debt import Payment, recent_payments
from billing_service.storage.rows.ledger import fetch_lots
from billing_service.storage.rows.verification import links
from billing_service.storage.statements import Work

LINKS_A_READ = 500
LINKS_MAX = 2_000
"""Transactions that are looked through, newest first. Payments before them are not known."""


def payments_of(account: Account, amount: int, cause: str) -> Work[list[Payment]]:
    """Who settled, of `amount` that `cause` once made debt, what is no longer owed. The payers' lots are fetched."""
    settled = amount - account.debt
    if settled <= 0:
        return []
    history = list(reversed(account.transactions))
    next_id = history[-1].previous_id if history else account.last_transaction_id
    payments = recent_payments(history, cause, settled)
    while next_id and len(history) < LINKS_MAX and not _is_known(payments, settled, history, cause):
        older = yield from links(account.account_id, next_id, LINKS_A_READ)
        history += older
        next_id = older[-1].previous_id if older else ""
        payments = recent_payments(history, cause, settled)
    yield from fetch_lots_and_heirs(account, [payment.lot_id for payment in payments])
    return payments


def _is_known(payments: list[Payment], settled: int, history: list[Transaction], cause: str) -> bool:
    found = sum(payment.amount for payment in payments) >= settled
    return found or any(transaction.transaction_id == cause for transaction in history)


def fetch_lots_and_heirs(account: Account, lot_ids: Iterable[str]) -> Work[None]:
    """Adds lots to an account in memory, and the lots that came in the stead of those that were taken back."""
    wanted = [lot_id for lot_id in lot_ids if is_lot(lot_id)]
    while wanted:
        yield from fetch_lots(account, wanted)
        known = (account.known_lot(lot_id) for lot_id in wanted)
        wanted = [lot.ended_to for lot in known if is_lot(lot.ended_to)]
