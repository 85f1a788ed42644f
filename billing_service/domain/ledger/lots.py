"""Lots: where an account's credits live, and the one order in which they are spent."""

from dataclasses import dataclass
from enum import IntEnum

PRIORITY_DEFAULT = 50
PRIORITY_MAX = 100
AT_ONCE_US = 0
"""Effective from the beginning of time: a clock that is set back, or another process's that is behind, holds nothing
back."""
_NEVER = 2**63


class Category(IntEnum):
    """Where credits came from. The numbers are the wire's and the burn-down order's."""

    PROMOTIONAL = 1
    PLAN = 2
    PAID = 3


@dataclass(slots=True)
class Lot:
    """Credits of one origin. `remaining` changes with every movement; `expired` grows. A lot that is taken back ends:
    its expiry becomes that moment, never later than it was, and `ended_to` says where to."""

    lot_id: str
    category: Category
    priority: int
    """0 is spent first, 100 last."""
    amount: int
    """Microcredits that it was granted with."""
    remaining: int
    """Microcredits left and not held; never below zero."""
    create_time_us: int
    effective_time_us: int
    """Spendable from this moment; AT_ONCE_US unless it lay ahead when the lot was made."""
    expire_time_us: int | None
    """No longer spendable from this moment; None: never ends."""
    source_id: str = ""
    """The purchase, referral or grant that it came from."""
    expired: int = 0
    """Microcredits that it lost to its expiry."""
    ended_to: str = ""
    """Where it was taken back to before its time, and where what returns to it goes at once: a place of the house, or
    the lot that came in its stead. Empty: it was not taken back."""
    held: int = 0
    """Microcredits that open holds reserve; not part of `remaining`."""

    def spendable(self, now_us: int) -> bool:
        """Whether a deduction may draw on it now. Expiry needs no sweep to take effect."""
        return (
            self.remaining > 0
            and self.effective_time_us <= now_us
            and (self.expire_time_us is None or self.expire_time_us > now_us)
        )

    @property
    def room(self) -> int:
        """Microcredits that may come back into it: no lot has more than it was granted."""
        return max(self.amount - self.remaining - self.held, 0)

    @property
    def spent(self) -> int:
        """Microcredits that it gave and did not get back, those that expired not counted. What is held counts as
        given."""
        return self.amount - self.remaining - self.expired

    def has_expired(self, now_us: int) -> bool:
        return self.expire_time_us is not None and self.expire_time_us <= now_us


def burn_down_order(lot: Lot) -> tuple[int, int, int, int, str]:
    """Sort key of the published order: priority, then earlier expiry (none last), then promotional before plan before
    paid, then older, then id. So free credits go first and paid ones stay refundable."""
    expiry = _NEVER if lot.expire_time_us is None else lot.expire_time_us
    return (lot.priority, expiry, lot.category, lot.create_time_us, lot.lot_id)
