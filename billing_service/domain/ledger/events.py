"""Business events: facts of an account that are no transactions, or that others wait for."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple


class EventKind(IntEnum):
    """What happened. The numbers are stored."""

    PURCHASE_COMPLETED = 1
    REFUND_SETTLED = 2
    """At Stripe, whichever way."""
    DEBT = 3
    """The account owed nothing, and owes something now."""
    SPEND_LIMIT_CHANGED = 4
    """Set, changed, or removed, where the detail has no limit."""
    LOW_BALANCE = 5
    """As much as the account's threshold was available, and now it is less."""
    UNPRICED_USAGE = 6
    """A usage was charged though the card has no price for it: an estimate, which a later price corrects."""
    DISPUTE_CHANGED = 7
    """A dispute of a purchase began, went on to another state, or its money went or came back."""
    FRAUD_WARNING = 8
    """A bank suspects a fraud in the payment of a purchase. No money moved."""


class BusinessEvent(NamedTuple):
    """One event of one account."""

    event_id: str
    kind: EventKind
    create_time_us: int
    subject_id: str
    """The purchase, refund, dispute, transaction or spender that it is about."""
    detail: Mapping[str, str | int]
    """Amounts, currencies, states and models; nobody's words."""


class PlacedEvent(NamedTuple):
    """One event at its place in the feed."""

    position: int
    account_id: str
    event_id: str
    account_version: int
    """The account's when it happened."""
    kind: int
    """Of EventKind, or of a newer program."""
    create_time_us: int
    subject_id: str
    detail: Mapping[str, str | int]
