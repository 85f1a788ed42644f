"""One account's proof: its history is followed from the newest transaction back, and whatever is stored as a sum is
computed again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from billing_service.domain.ledger.chain import GENESIS, link
from billing_service.domain.ledger.entries import (
    MAY_MOVE_NOTHING,
    Place,
    Transaction,
    TransactionKind,
    is_lot,
    lot_held,
)
from billing_service.domain.spending.price_records import PriceDamagedError
from billing_service.domain.spending.receipts import charge_of
from billing_service.integrity.corrections_check import CorrectionsCheck
from billing_service.integrity.differences import Report
from billing_service.integrity.heads import Head
from billing_service.integrity.holds_check import HoldsCheck
from billing_service.integrity.limits_check import LimitsCheck
from billing_service.integrity.lots_check import LotsCheck
from billing_service.integrity.purchases_check import PurchasesCheck
from billing_service.storage.rows.verification import StoredAccount


class AccountCheck:
    """Compares an account, as one snapshot shows it, with its history. What lies below a head never changes, so the
    links may come from later snapshots."""

    def __init__(self, stored: StoredAccount, exported: Head | None = None) -> None:
        self._stored = stored
        self._exported = exported
        self._report = Report(accounts=1)
        self._version = stored.version
        self._broken = False
        self._newer: Transaction | None = None
        self._newest_balance = 0
        self._places: dict[str, int] = defaultdict(int)
        self._given_back: dict[str, int] = defaultdict(int)
        """By deduction."""
        self._corrections = CorrectionsCheck()
        self._lots = LotsCheck(stored.caught_up_version, stored.version)
        self._holds = HoldsCheck()
        self._purchases = PurchasesCheck(stored.caught_up_version)
        self._limits = LimitsCheck(stored)
        self.next_id = stored.last_id
        """The link to go on with."""
        if exported is not None:
            self._report.heads_found.add(stored.account_id)
            if exported.version > stored.version:
                self._compare("version is not below the exported head's", exported.version, stored.version)

    @property
    def account_id(self) -> str:
        return self._stored.account_id

    @property
    def links_left(self) -> int:
        """How many links may follow: a chain that leads back into itself is not followed for ever."""
        return max(self._version, 0) if self.next_id and not self._broken else 0

    def follow(self, links: Sequence[Transaction]) -> None:
        """Takes the links that were found from `next_id` on, at most `links_left`."""
        if not self.links_left:
            return
        if not links:
            self._compare(f"transaction {self.next_id}", "a row", "none")
            self._broken = True
            return
        for transaction in links:
            self._follow(transaction)
        self.next_id = links[-1].previous_id

    def _follow(self, transaction: Transaction) -> None:
        name = transaction.transaction_id
        self._compare(f"{name} version", self._version, transaction.version)
        self._version -= 1
        self._compare_newer(transaction.hash, transaction.balance_after)
        if self._newer is None:
            self._compare(f"{name} hash", self._stored.last_hash, transaction.hash)
            self._newest_balance = transaction.balance_after
        if self._exported is not None and transaction.version == self._exported.version:
            self._compare(f"{name} exported hash", self._exported.hash, transaction.hash.hex())
        effect = 0
        for source, destination, amount in transaction.entries:
            self._places[source] -= amount
            self._places[destination] += amount
            effect += amount * (_held(destination) - _held(source))
        self._compare(f"{name} amount", effect, transaction.amount)
        moves_nothing = transaction.kind in MAY_MOVE_NOTHING and transaction.amount == 0
        self._compare(f"{name} entries", expected=True, stored=bool(transaction.entries) or moves_nothing)
        self._follow_texts(transaction)
        if transaction.price_record:
            self._follow_record(transaction)
        self._newer = transaction
        if transaction.kind is TransactionKind.DEDUCTION_REVERSAL:
            self._given_back[transaction.source_id] += sum(
                entry.amount for entry in transaction.entries if entry.source == Place.USAGE
            )
        self._corrections.follow(transaction)
        self._lots.follow(transaction)
        self._holds.follow(transaction)
        self._purchases.follow(transaction)
        self._limits.follow(transaction)
        self._report.transactions += 1
        self._report.entries += len(transaction.entries)

    def _follow_texts(self, transaction: Transaction) -> None:
        """Texts are there or erased, never both; and format 1, which does not hash the newer columns, has none."""
        name = transaction.transaction_id
        if transaction.texts_erased:
            self._report.erased += 1
        elif transaction.erased_digest:
            self._compare(f"{name} digest of erased texts", "none", transaction.erased_digest)
        if transaction.chain_format == 1:
            newer = transaction.salt + transaction.erased_digest + transaction.price_record
            self._compare(f"{name} columns that format 1 does not hash", b"", newer)

    def _follow_record(self, transaction: Transaction) -> None:
        """A record of a price belongs to a charge, its amount follows from its lines, and no more was charged."""
        name = transaction.transaction_id
        try:
            charge = charge_of(transaction)
        except PriceDamagedError as damage:
            self._compare(f"{name} price record", "a price", str(damage))
            return
        if transaction.kind is TransactionKind.CORRECTION:
            return
        if charge is None:
            self._compare(f"{name} price record", b"", transaction.price_record)
        elif charge.uncollected < 0:
            self._compare(f"{name} charged", f"at most {charge.amount}", charge.charged)

    def _compare_newer(self, older_hash: bytes, older_balance: int) -> None:
        newer = self._newer
        if newer is not None:
            self._compare(f"{newer.transaction_id} hash", link(older_hash, newer), newer.hash)
            self._compare(f"{newer.transaction_id} balance after", older_balance + newer.amount, newer.balance_after)

    def end(self) -> Report:
        """The oldest link has none before it, the newest has the account's balance, and the sums are those of the
        entries."""
        stored, places = self._stored, self._places
        self._compare("transaction before the first", "", self.next_id)
        self._compare_newer(GENESIS, 0)
        self._compare("versions before the first", 0, self._version)
        self._compare("newest balance after", stored.balance, self._newest_balance)
        self._compare_reversed("deduction", self._given_back, stored.reversed_deductions)
        self._compare_reversed("purchase", self._purchases.taken(), stored.reversed_purchases)
        for place in stored.lots.keys() | {place for place in places if is_lot(place)}:
            lot = stored.lots.get(place)
            self._compare(f"lot {place} remaining", places.get(place, 0), "none" if lot is None else lot.remaining)
        for subject, expected, found in self._corrections.compared(stored.corrections):
            self._compare(subject, expected, found)
        for subject, expected, found in self._lots.compared(stored.lots, self._purchases.unexpired()):
            self._compare(subject, expected, found)
        for subject, expected, found in self._holds.compared(stored, places):
            self._compare(subject, expected, found)
        for subject, expected, found in self._limits.compared():
            self._compare(subject, expected, found)
        self._compare("debt", -places[Place.DEBT], stored.debt)
        self._compare("set aside", places[Place.SET_ASIDE], stored.set_aside)
        self._compare("balance", sum(moved for place, moved in places.items() if _held(place)), stored.balance)
        return self._report

    def _compare_reversed(self, what: str, moved: Mapping[str, object], stored: Mapping[str, object]) -> None:
        """Compares what deductions and purchases record as given back or taken back with the transactions that did
        it."""
        for source_id in stored.keys() | {source_id for source_id, amount in moved.items() if amount}:
            self._compare(f"{what} {source_id} reversed", moved.get(source_id, 0), stored.get(source_id, 0))

    def _compare(self, subject: str, expected: object, stored: object) -> None:
        self._report.compare(self._stored.account_id, subject, expected, stored)


def _held(place: str) -> bool:
    return place == Place.DEBT or is_lot(place) or bool(lot_held(place))
