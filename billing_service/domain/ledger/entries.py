"""Double entry: every movement leaves one place and arrives in another, so the whole ledger sums to zero by
construction."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from billing_service.domain.ledger.lots import Category


class Place:
    """Where credits can be besides a lot. A lot's place is its id. The first two belong to an account, the rest to the
    house."""

    DEBT = "debt"
    """What the account owes; the only place of an account whose sum goes below zero."""
    SET_ASIDE = "set_aside"
    """Taken out of lots for a refund that Stripe has not settled."""
    SALES = "sales"
    """Source of credits that money paid for."""
    GRANTS = "grants"
    """Source of credits that an operator gave."""
    BONUSES = "bonuses"
    """Source of referral bonuses, and where they go back."""
    ADJUSTMENTS = "adjustments"
    """Other side of an operator's corrections."""
    USAGE = "usage"
    """Credits that were spent."""
    EXPIRED = "expired"
    """Credits that ran out."""
    REVERSED = "reversed"
    """Credits whose money went back."""


def is_lot(place: str) -> bool:
    """Whether a place is a lot: its name is the lot's id."""
    return place.startswith("lot_")


_HELD = "held:"


def held_place(lot_id: str) -> str:
    """Where credits of a lot are while holds reserve them. It belongs to the account, as the lot does."""
    return _HELD + lot_id


def lot_held(place: str) -> str:
    """The lot of a place where holds keep credits; empty for any other place."""
    return place[len(_HELD) :] if place.startswith(_HELD) else ""


class TransactionKind(IntEnum):
    """What a transaction was. The numbers are the wire's."""

    PURCHASE = 1
    GRANT = 2
    DEDUCTION = 3
    DEDUCTION_REVERSAL = 4
    PURCHASE_REVERSAL = 5
    PURCHASE_REINSTATEMENT = 6
    REFUND_SETTLEMENT = 7
    BONUS_REVERSAL = 8
    EXPIRY = 9
    ADJUSTMENT = 10
    HOLD = 11
    HOLD_RELEASE = 12
    CORRECTION = 13


MAY_MOVE_NOTHING = frozenset(
    {
        TransactionKind.DEDUCTION,
        TransactionKind.BONUS_REVERSAL,
        TransactionKind.GRANT,
        TransactionKind.HOLD,
        TransactionKind.HOLD_RELEASE,
    }
)
"""Kinds of transactions that may have no entries: a charge that found nothing to take, a bonus that ends with nothing
left, one that is due again with nothing to give back, a hold that only lasts longer, and one that ends with nothing
left. Each is recorded like any other, in the account's chain."""


class Entry(NamedTuple):
    """One movement of `amount` > 0 microcredits."""

    source: str
    destination: str
    amount: int


def moved_of_lots(entry: Entry) -> list[tuple[str, int]]:
    """What left a lot (positive) or came into it (negative), by lot. What a hold reserves has left its lot; captured
    later, it is drawn from there once more."""
    source, destination, amount = entry
    if lot_held(destination):
        return [(source, amount)]
    from_lot = lot_held(source) or (source if is_lot(source) else "")
    moved = [(from_lot, amount)] if from_lot and from_lot != destination else []
    return [*moved, (destination, -amount)] if is_lot(destination) else moved


class Draw(NamedTuple):
    """What left a lot (positive) or came into it (negative), in microcredits."""

    lot_id: str
    category: Category
    amount: int


@dataclass(slots=True)
class Transaction:
    """Entries of one account that are written together or not at all."""

    transaction_id: str
    account_id: str
    version: int
    """The account's version after it: gapless."""
    previous_id: str
    """The account's transaction before it; empty for the first. History is read along this chain."""
    kind: TransactionKind
    amount: int
    """Effect on the balance: what lots hold less what is owed."""
    balance_after: int
    create_time_us: int
    source_id: str = ""
    caller: str = ""
    description: str = ""
    metadata: str = ""
    """JSON object; empty for none."""
    entries: list[Entry] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)
    effective_time_us: int = 0
    """As of when it counts, where that is before it was made: the end of a hold that was booked later. 0: when it was
    made."""
    hash: bytes = b""
    """See `domain.ledger.chain`."""
    chain_format: int = 2
    """Which canonical text is hashed: 1 or 2."""
    salt: bytes = b""
    """Random bytes that are hashed with description and metadata; empty where there are neither, and in format 1."""
    erased_digest: bytes = b""
    """The digest of description and metadata that were erased, with their salt; empty for all other transactions."""
    price_record: bytes = b""
    """Why a charge is what it is (`domain.spending.price_records`); empty for none."""

    @property
    def texts_erased(self) -> bool:
        """Whether description and metadata were erased."""
        return bool(self.erased_digest) and not (self.salt or self.description or self.metadata)
