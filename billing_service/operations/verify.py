"""Proves balances: follows each account's chain from its head, and computes again from the entries whatever is stored as a sum."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from billing_service.domain.chain import GENESIS, link
from billing_service.domain.entries import Place, Transaction, TransactionKind
from billing_service.operations.heads import Head
from billing_service.storage.statements import Work
from billing_service.storage.store import Store
from billing_service.storage.verify_rows import (
    COUNTS,
    LOTS,
    ORPHAN_LOTS,
    REVERSED_DEDUCTIONS,
    REVERSED_PURCHASES,
    links,
    next_accounts,
    one_account,
)

ACCOUNTS_A_SNAPSHOT = 20
"""Accounts read in one snapshot: short enough to keep no journal from shrinking."""
LINKS_A_PAGE = 2_000
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
    heads_found: set[str] = field(default_factory=set)
    """Accounts of exported heads that are there."""

    def compare(self, account_id: str, subject: str, expected: object, stored: object) -> None:
        if expected != stored and len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(Difference(account_id, subject, _shown(expected), _shown(stored)))

    def add(self, other: "Report") -> None:
        self.accounts += other.accounts
        self.transactions += other.transactions
        self.entries += other.entries
        self.differences = [*self.differences, *other.differences][:DIFFERENCES_MAX]


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


async def verify_ledger(store: Store, account_id: str = "", heads: Mapping[str, Head] | None = None) -> Report:
    """Verifies one account, or all of them and the counts of the whole; and that the chains still hold the heads exported
    earlier, where given. Safe beside a running service: each snapshot is whole in itself."""
    known = heads or {}
    if account_id:
        return await store.read(lambda: _one(account_id, known))
    whole = Report()
    found: set[str] = set()
    after = ""
    while True:
        page, after = await store.read(partial(_page, after, known))
        found.update(page.heads_found)
        whole.add(page)
        if not after:
            break
    whole.add(await store.read(_whole))
    for missing in known.keys() - found:
        whole.compare(missing, "account of an exported head", "a row", "none")
    return whole


def _one(account_id: str, heads: Mapping[str, Head]) -> Work[Report]:
    report = Report()
    for row in (yield from one_account(account_id)):
        yield from _verify(row, report, heads)
    return report


def _page(after: str, heads: Mapping[str, Head]) -> Work[tuple[Report, str]]:
    """A report of its own for each run: a conflict may run it again."""
    report = Report()
    rows = yield from next_accounts(after, ACCOUNTS_A_SNAPSHOT)
    for row in rows:
        yield from _verify(row, report, heads)
    return report, rows[-1][0] if len(rows) == ACCOUNTS_A_SNAPSHOT else ""


def _whole() -> Work[Report]:
    """What no chain reaches: rows that were added, and accounts that were cut short together with their heads' versions."""
    report = Report()
    ((transactions, versions, entries, loose_entries),) = yield COUNTS()
    report.compare("", "transactions", int(versions), int(transactions))
    report.compare("", f"entries without a transaction, of {entries}", 0, int(loose_entries))
    for account_id, lot_id in (yield ORPHAN_LOTS()):
        report.compare(account_id, f"account of lot {lot_id}", "a row", "none")
    return report


def _verify(row: Sequence[Any], report: Report, heads: Mapping[str, Head]) -> Work[None]:
    account_id, version, last_id, last_hash, balance, debt, set_aside = row[:7]
    places: dict[str, int] = defaultdict(int)
    chain = _Chain(account_id, version, last_hash, report, heads.get(account_id))
    newest = last_id
    while newest and chain.versions_left:
        found = yield from links(account_id, newest, min(LINKS_A_PAGE, chain.versions_left))
        if not found:
            report.compare(account_id, f"transaction {newest}", "a row", "none")
            break
        for transaction in found:
            chain.follow(transaction, places)
        newest = found[-1].previous_id
    chain.end(balance, newest)
    yield from _verify_reversals(account_id, chain, report)
    lots = dict((yield LOTS(account_id)))
    for place in lots.keys() | {place for place in places if place.startswith("lot_")}:
        report.compare(account_id, f"lot {place} remaining", places.get(place, 0), lots.get(place, "none"))
    report.compare(account_id, "debt", -places[Place.DEBT], debt)
    report.compare(account_id, "set aside", places[Place.SET_ASIDE], set_aside)
    report.compare(account_id, "balance", sum(moved for place, moved in places.items() if _held(place)), balance)
    report.accounts += 1
    if account_id in heads:
        report.heads_found.add(account_id)


def _verify_reversals(account_id: str, chain: "_Chain", report: Report) -> Work[None]:
    """What stands beside deductions and purchases as given or taken back, against the transactions that did it."""
    for what, statement, moved in (
        ("deduction", REVERSED_DEDUCTIONS, chain.given_back),
        ("purchase", REVERSED_PURCHASES, chain.taken_back),
    ):
        stored = dict((yield statement(account_id)))
        for source_id in stored.keys() | {source_id for source_id, amount in moved.items() if amount}:
            report.compare(account_id, f"{what} {source_id} reversed", moved.get(source_id, 0), stored.get(source_id, 0))


def _held(place: str) -> bool:
    return place == Place.DEBT or place.startswith("lot_")


class _Chain:
    """Follows one account's history from its newest transaction back."""

    def __init__(self, account_id: str, version: int, last_hash: bytes, report: Report, exported: Head | None) -> None:
        self._account_id = account_id
        self._report = report
        self._version = version
        self._exported = exported
        if exported is not None and exported.version > version:
            self._compare("version is not below the exported head's", exported.version, version)
        self._newer: Transaction | None = None
        self._expected_hash = last_hash
        self._newest_balance = 0
        self.given_back: dict[str, int] = defaultdict(int)
        """By deduction."""
        self.taken_back: dict[str, int] = defaultdict(int)
        """By purchase."""

    def follow(self, transaction: Transaction, places: dict[str, int]) -> None:
        name = transaction.transaction_id
        self._compare(f"{name} version", self._version, transaction.version)
        self._version -= 1
        self._compare_newer(transaction.hash, transaction.balance_after)
        if self._newer is None:
            self._compare(f"{name} hash", self._expected_hash, transaction.hash)
            self._newest_balance = transaction.balance_after
        if self._exported is not None and transaction.version == self._exported.version:
            self._compare(f"{name} exported hash", self._exported.hash, transaction.hash.hex())
        effect = 0
        for source, destination, amount in transaction.entries:
            places[source] -= amount
            places[destination] += amount
            effect += amount * (_held(destination) - _held(source))
        self._compare(f"{name} amount", effect, transaction.amount)
        self._compare(f"{name} entries", expected=True, stored=bool(transaction.entries))
        self._newer = transaction
        if transaction.kind is TransactionKind.DEDUCTION_REVERSAL:
            self.given_back[transaction.source_id] += transaction.amount
        elif transaction.kind in (TransactionKind.PURCHASE_REVERSAL, TransactionKind.PURCHASE_REINSTATEMENT):
            self.taken_back[transaction.source_id] -= transaction.amount
        self._report.transactions += 1
        self._report.entries += len(transaction.entries)

    @property
    def versions_left(self) -> int:
        """How many links may follow: a chain that leads back into itself is not followed for ever."""
        return max(self._version, 0)

    def end(self, balance: int, before_first: str) -> None:
        """The oldest link stands on nothing, and the newest says the account's balance."""
        self._compare("transaction before the first", "", before_first)
        self._compare_newer(GENESIS, 0)
        self._compare("versions before the first", 0, self._version)
        self._compare("newest balance after", balance, self._newest_balance)

    def _compare_newer(self, older_hash: bytes, older_balance: int) -> None:
        newer = self._newer
        if newer is not None:
            self._compare(f"{newer.transaction_id} hash", link(older_hash, newer), newer.hash)
            self._compare(f"{newer.transaction_id} balance after", older_balance + newer.amount, newer.balance_after)

    def _compare(self, subject: str, expected: object, stored: object) -> None:
        self._report.compare(self._account_id, subject, expected, stored)
