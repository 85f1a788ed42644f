"""Proves balances: everything that is stored as a sum is computed again from the entries, account by account."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from billing_service.domain.entries import Place
from billing_service.storage.statements import Work
from billing_service.storage.store import Store
from billing_service.storage.verify_rows import EFFECTS, ENTRIES_BY_TRANSACTION, HISTORY, LOTS, PLACES, next_accounts, one_account

ACCOUNTS_A_SNAPSHOT = 20
"""Accounts read in one snapshot: short enough to keep no journal from shrinking."""
DIFFERENCES_MAX = 1_000


class Difference(NamedTuple):
    """What the entries say, and what is stored instead."""

    account_id: str
    subject: str
    expected: str
    stored: str


@dataclass(slots=True)
class Report:
    """What verification found. No differences: the ledger proves every balance."""

    accounts: int = 0
    transactions: int = 0
    entries: int = 0
    differences: list[Difference] = field(default_factory=list)

    def compare(self, account_id: str, subject: str, expected: object, stored: object) -> None:
        if expected != stored and len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(Difference(account_id, subject, str(expected), str(stored)))

    def add(self, other: "Report") -> None:
        self.accounts += other.accounts
        self.transactions += other.transactions
        self.entries += other.entries
        self.differences = [*self.differences, *other.differences][:DIFFERENCES_MAX]


async def verify_ledger(store: Store, account_id: str = "") -> Report:
    """Verifies one account, or all of them. Safe beside a running service: each snapshot is whole in itself."""
    if account_id:
        return await store.read(lambda: _one(account_id))
    whole = Report()
    after = ""
    while True:
        page, after = await store.read(partial(_page, after))
        whole.add(page)
        if not after:
            return whole


def _one(account_id: str) -> Work[Report]:
    report = Report()
    for row in (yield from one_account(account_id)):
        yield from _verify(row, report)
    return report


def _page(after: str) -> Work[tuple[Report, str]]:
    """A report of its own for each run: a conflict may run it again."""
    report = Report()
    rows = yield from next_accounts(after, ACCOUNTS_A_SNAPSHOT)
    for row in rows:
        yield from _verify(row, report)
    return report, rows[-1][0] if len(rows) == ACCOUNTS_A_SNAPSHOT else ""


def _verify(row: Sequence[Any], report: Report) -> Work[None]:
    account_id, version, last_id, balance, debt, set_aside = row[:6]
    places = {place: int(moved) for place, moved in (yield PLACES(account_id))}
    lots = dict((yield LOTS(account_id)))
    for lot_id, remaining in lots.items():
        report.compare(account_id, f"lot {lot_id} remaining", places.get(lot_id, 0), remaining)
    for place in places:
        if place.startswith("lot_"):
            report.compare(account_id, f"lot {place} exists", expected=True, stored=place in lots)
    report.compare(account_id, "debt", -places.get(Place.DEBT, 0), debt)
    report.compare(account_id, "set aside", places.get(Place.SET_ASIDE, 0), set_aside)
    report.compare(account_id, "balance", sum(moved for place, moved in places.items() if _held(place)), balance)
    report.compare(account_id, "sum", 0, sum(places.values()))
    yield from _verify_history(account_id, version, last_id, report)
    report.accounts += 1


def _held(place: str) -> bool:
    return place == Place.DEBT or place.startswith("lot_")


def _verify_history(account_id: str, version: int, last_id: str, report: Report) -> Work[None]:
    counts = {row[0]: (int(row[1]), int(row[2])) for row in (yield ENTRIES_BY_TRANSACTION(account_id))}
    effects = {row[0]: int(row[1]) for row in (yield EFFECTS(account_id))}
    previous_id, running, expected_version = "", 0, 0
    for transaction_id, found_version, found_previous, amount, balance_after in (yield HISTORY(account_id)):
        expected_version += 1
        running += amount
        report.compare(account_id, f"{transaction_id} version", expected_version, found_version)
        report.compare(account_id, f"{transaction_id} previous", previous_id, found_previous)
        report.compare(account_id, f"{transaction_id} amount", effects.get(transaction_id, 0), amount)
        report.compare(account_id, f"{transaction_id} balance after", running, balance_after)
        count, last_position = counts.pop(transaction_id, (0, -1))
        report.compare(account_id, f"{transaction_id} entries", expected=max(count, 1), stored=last_position + 1)
        previous_id = transaction_id
        report.transactions += 1
        report.entries += count
    for orphan in counts:
        report.compare(account_id, f"{orphan} transaction", "a row", "none")
    report.compare(account_id, "version", expected_version, version)
    report.compare(account_id, "last transaction", previous_id, last_id)
