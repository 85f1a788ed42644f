"""An account's balance as callers see it."""

from typing import NamedTuple


class Balance(NamedTuple):
    """What an account shows at one moment, in microcredits. Categories add up to `available`."""

    account_id: str
    available: int
    held: int
    frozen: int
    debt: int
    promotional: int
    plan: int
    paid: int
    next_expiry_us: int | None
    next_expiry_amount: int
    version: int
