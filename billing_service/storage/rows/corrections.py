"""Rows of corrections: deductions that a version of the rate card has decided anew, each once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, select

from billing_service.domain.ledger.entries import Transaction, TransactionKind
from billing_service.domain.spending.standing import StandingCharge
from billing_service.storage.rows.history import attach_entries, transaction_of
from billing_service.storage.rows.ledger import expect
from billing_service.storage.schema import corrections, deduction_reversals, transactions
from billing_service.storage.statements import InList, Work, bulk_insert, reading


class CorrectionRow(NamedTuple):
    """What one version of the rate card decided of one deduction."""

    account_id: str
    transaction_id: str
    rate_card_version: str
    moved: int
    """Microcredits that were charged besides; below 0: given back."""
    correction_id: str
    """The transaction that did; empty where nothing moved."""


READ_CORRECTIONS = reading(
    "read corrections",
    select(corrections).where(
        corrections.c.account_id == bindparam("account_id"), InList(corrections.c.transaction_id, "list_transactions")
    ),
    "account_id",
    "list_transactions",
)
INSERT_CORRECTIONS = bulk_insert(corrections)
READ_TRANSACTIONS = reading(
    "read transactions",
    select(*transactions.columns)
    .where(
        transactions.c.account_id == bindparam("account_id"),
        InList(transactions.c.transaction_id, "list_transactions"),
    )
    .order_by(transactions.c.version),
    "account_id",
    "list_transactions",
)
READ_ALL_REVERSED = reading(
    "read reversed parts",
    select(deduction_reversals.c.transaction_id, deduction_reversals.c.reversed).where(
        deduction_reversals.c.account_id == bindparam("account_id"),
        InList(deduction_reversals.c.transaction_id, "list_transactions"),
    ),
    "account_id",
    "list_transactions",
)
ALL_REVERSALS = reading(
    "read all reversals",
    select(*transactions.columns)
    .where(
        transactions.c.account_id == bindparam("account_id"),
        InList(transactions.c.source_id, "list_transactions"),
        transactions.c.kind == literal_column(str(int(TransactionKind.DEDUCTION_REVERSAL))),
    )
    .order_by(transactions.c.version),
    "account_id",
    "list_transactions",
)


class Changed(NamedTuple):
    """Deductions of an account, and what became of them."""

    deductions: dict[str, Transaction]
    reversed: dict[str, int]
    """Microcredits that reversals gave back, by deduction."""
    decided: dict[tuple[str, str], CorrectionRow]
    """By deduction and version of the rate card."""
    changes: dict[str, list[Transaction]]
    """Of deductions that were corrected, all reversals and corrections in the order of their versions."""

    @property
    def standing(self) -> dict[str, StandingCharge]:
        """What is left of each."""
        return {
            name: StandingCharge(deduction, self.reversed.get(name, 0), self.changes.get(name, ()))
            for name, deduction in self.deductions.items()
        }


def changed_deductions(account_id: str, transaction_ids: Sequence[str]) -> Work[Changed]:
    """Deductions with their entries."""
    listed = list(transaction_ids)
    found = yield from read_transactions(account_id, listed)
    given_back = {row[0]: int(row[1]) for row in (yield READ_ALL_REVERSED(account_id, listed))}
    rows = yield from corrections_of(account_id, listed)
    changes = yield from _changes(account_id, rows)
    decided = {(row.transaction_id, row.rate_card_version): row for row in rows}
    return Changed({each.transaction_id: each for each in found}, given_back, decided, changes)


def changes_of_corrected(account_id: str, transaction_id: str) -> Work[list[Transaction]]:
    """All reversals and corrections of a deduction with their entries, in the order of their versions. Of one that was
    never corrected: none."""
    rows = yield from corrections_of(account_id, [transaction_id])
    return (yield from _changes(account_id, rows)).get(transaction_id, [])


def corrections_made(account_id: str, transaction_id: str) -> Work[list[Transaction]]:
    """The corrections of a deduction that moved something, with their entries, oldest first."""
    rows = yield from corrections_of(account_id, [transaction_id])
    ids = [row.correction_id for row in rows if row.correction_id]
    return (yield from read_transactions(account_id, ids)) if ids else []


def _changes(account_id: str, rows: Iterable[CorrectionRow]) -> Work[dict[str, list[Transaction]]]:
    moved = [row for row in rows if row.correction_id]
    if not moved:
        return {}
    corrected = yield from read_transactions(account_id, [row.correction_id for row in moved])
    deductions = sorted({row.transaction_id for row in moved})
    reversals = [transaction_of(row) for row in (yield ALL_REVERSALS(account_id, deductions))]
    yield from attach_entries(account_id, reversals)
    changes: dict[str, list[Transaction]] = defaultdict(list)
    for change in sorted([*corrected, *reversals], key=lambda each: each.version):
        changes[change.source_id].append(change)
    return changes


def corrections_of(account_id: str, transaction_ids: Sequence[str]) -> Work[list[CorrectionRow]]:
    """Of some deductions of an account."""
    return [CorrectionRow(*row) for row in (yield READ_CORRECTIONS(account_id, list(transaction_ids)))]


def read_transactions(account_id: str, transaction_ids: Sequence[str]) -> Work[list[Transaction]]:
    """With their entries, in the order of their versions."""
    rows = yield READ_TRANSACTIONS(account_id, list(transaction_ids))
    found = [transaction_of(row) for row in rows]
    yield from attach_entries(account_id, found)
    return found


def add_corrections(rows: Sequence[CorrectionRow]) -> Work[None]:
    """Under the account's lock. A version that decided a deduction before breaks the unit."""
    if rows:
        expect((yield INSERT_CORRECTIONS.many(rows)), len(rows), "insert corrections")
