"""What reversals took of an account's purchases, computed again from its history, which comes newest first."""

from collections import Counter, defaultdict

from billing_service.domain.ledger.entries import Transaction, TransactionKind
from billing_service.domain.sales.clawbacks import Taken, TakenSince, change_of


class PurchasesCheck:
    """How much was taken of each purchase: from its lots, from what had expired, and as debt."""

    def __init__(self, caught_up_version: int) -> None:
        self._caught_up_version = caught_up_version
        self._reversals: dict[str, list[Transaction]] = defaultdict(list)
        """Newest first."""
        self._newer: Counter[str] = Counter()
        """By purchase, what transactions took that are not counted in the parts yet, less what they gave back."""
        self._lots: dict[str, str] = {}

    def follow(self, transaction: Transaction) -> None:
        """Takes the next older transaction."""
        if transaction.kind is TransactionKind.PURCHASE:
            self._lots[transaction.source_id] = transaction.entries[0].destination if transaction.entries else ""
        change = change_of(transaction)
        if not change:
            return
        if transaction.version > self._caught_up_version:
            self._newer[transaction.source_id] += change.total if isinstance(change, Taken) else -change
        else:
            self._reversals[transaction.source_id].append(transaction)

    def _since(self, purchase_id: str) -> TakenSince:
        since = TakenSince()
        for transaction in reversed(self._reversals.get(purchase_id, [])):
            since = since.after(transaction)
        return since

    def taken(self) -> dict[str, Taken]:
        """What is taken now of each purchase of which something is, divided as of the version that was caught up to."""
        found = {}
        for purchase_id in self._reversals.keys() | self._newer.keys():
            _, expired, debt = taken = self._since(purchase_id).taken
            total = taken.total + self._newer[purchase_id]
            found[purchase_id] = Taken(total - expired - debt, expired, debt)
        return {purchase_id: taken for purchase_id, taken in found.items() if any(taken)}

    def unexpired(self) -> dict[str, int]:
        """By lot of a purchase, what had expired and came back as if it had not."""
        found = {self._lots.get(purchase_id, ""): self._since(purchase_id).unexpired for purchase_id in self._reversals}
        return {lot_id: amount for lot_id, amount in found.items() if amount}
