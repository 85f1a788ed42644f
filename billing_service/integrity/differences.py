"""What verification found."""

from dataclasses import dataclass, field
from typing import NamedTuple

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
    erased: int = 0
    """Transactions whose texts were erased, which is no difference."""
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
        self.erased += other.erased
        self.differences = [*self.differences, *other.differences][:DIFFERENCES_MAX]
        self.heads_found |= other.heads_found


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
