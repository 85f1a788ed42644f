"""Spend limits as an account keeps them: counters of an account and of its spenders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ACCOUNT_ITSELF = ""
"""The spender that stands for the whole account: every charge counts at its limits."""


@dataclass(slots=True)
class SpendLimit:
    """What one spender may charge to one account in one window. Microcredits."""

    spender_id: str
    window: int
    """A `SpendWindow`."""
    amount_max: int
    used: int
    window_start_us: int
    """Start of the window that `used` was counted in."""
    set_time_us: int
    """When the limit was first set: charges from then on count."""


class LimitedCharge(NamedTuple):
    """A charge whose reversal has to know more than its transaction says."""

    transaction_id: str
    spender_ids: Sequence[str]
    """Those with limits."""
    count_time_us: int
    """When it counted: with its hold, where it was captured."""
