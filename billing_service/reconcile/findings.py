"""What a comparison with Stripe finds."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class FindingKind(IntEnum):
    """What differs; the wire's numbers."""

    PURCHASE_NOT_COMPLETED = 1
    """Paid at Stripe, and its credits never came."""
    PURCHASE_OUTDATED = 2
    """It ended, or its money was promised, or its payment was bound, and this was not told."""
    REFUND_OUTDATED = 3
    """Money went back, or came to nothing, and this was not told."""
    REFUND_NOT_SENT = 4
    """Begun here; Stripe has never heard of it."""
    DISPUTE_OUTDATED = 5
    FRAUD_WARNING_MISSING = 6
    CUSTOMER_OUTDATED = 7
    EVENT_MISSING = 8
    """An event that never arrived. Its effect may have come by other ways."""
    CONTRADICTION = 9
    """What Stripe has contradicts what was sold, so that no rule repairs it."""
    OBJECT_UNKNOWN = 10
    """It carries this deployment's mark, and the ledger does not know it: an older backup was restored."""


class Outcome(IntEnum):
    """What became of it; the wire's numbers."""

    FOUND = 1
    """Nothing was changed: a dry run."""
    REPAIRED = 2
    LEFT = 3
    """For a person."""


class Change(NamedTuple):
    """A value that differs."""

    name: str
    """Such as `purchase.status`."""
    before: str
    after: str


class Finding(NamedTuple):
    """One difference between Stripe and the ledger. Ids are empty where not known."""

    kind: FindingKind
    outcome: Outcome
    stripe_object_id: str
    account_id: str = ""
    purchase_id: str = ""
    note: str = ""
    """Why no rule repairs it; else empty."""
    changes: Sequence[Change] = ()
    booked: str = ""
    """The transactions that a repair books, such as `PURCHASE 5000000 of ada (txn_…)`."""
