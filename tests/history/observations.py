"""What callers and readers saw of a history, and how a fault in it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FOREVER = 2**63
"""After every moment."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call as its caller saw it."""

    process: int
    invoked: int
    answered: int | None
    """None: no answer came, and what became of it is unknown."""
    account_id: str
    key: str = ""
    """Empty for a read."""
    refused: bool = False
    """By a rule of money: nothing happened. For lack of funds `available` and `required` are what the refusal said."""
    version: int = 0
    balance: int = 0
    """After the operation, or as it was read."""
    delta: int = 0
    reply: bytes = b""
    """The answer without its mark of replay."""
    replayed: bool = False
    available: int | None = None
    required: int = 0
    """Of a refusal; of a write, what had to be available for it (0: nothing)."""
    held: int | None = None
    """After the operation, or as it was read: part of `balance`."""
    hold_id: str = ""
    """The hold that it made or changed, and what is left under that now."""
    hold_left: int = 0
    spends: bool = False
    """Whether it counts at the account's limit: a charge, and what undoes one."""
    room: int | None = None
    """Of a refusal for want of room at the limit: what that has left."""

    def __str__(self) -> str:
        window = f"[{self.invoked}, {'?' if self.answered is None else self.answered}]"
        who = f"process {self.process} {window}"
        if not self.key:
            return f"{who} read version {self.version}, balance {self.balance}, held {self.held}"
        if self.answered is None:
            return f"{who} never heard of key {self.key!r}"
        if self.refused:
            if self.room is not None:
                return f"{who} was refused key {self.key!r}: the limit has room for {self.room}"
            return f"{who} was refused key {self.key!r}: {self.available} available, {self.required} required"
        return (
            f"{who} {'replayed' if self.replayed else 'wrote'} key {self.key!r} as version {self.version}: "
            f"{self.delta:+} to {self.balance}"
        )


@dataclass(frozen=True, slots=True)
class Posted:
    """One line of an account's statement, read at the end."""

    version: int
    key: str
    delta: int
    balance: int


@dataclass(frozen=True, slots=True)
class BankRead:
    """All accounts in one snapshot: (version, balance) of each, and what the house gave out less what it took in."""

    invoked: int
    answered: int
    accounts: Mapping[str, tuple[int, int]]
    given: int


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong, and the moments between which it is seen."""

    rule: str
    account_id: str
    words: str
    start: int = 0
    end: int = 0

    def __str__(self) -> str:
        return f"({self.rule}) account {self.account_id!r}, from {self.start} to {self.end}: {self.words}"


def shortest(violations: Sequence[Violation]) -> str:
    """The violation with the shortest window, in words; empty when there is none."""
    if not violations:
        return ""
    return f"{min(violations, key=lambda found: found.end - found.start)} ({len(violations)} violations in all)"
