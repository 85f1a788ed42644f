"""An account's balance as callers see it."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from billing_service.domain.ledger.account import Account


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
    as_of_us: int
    version: int

    def shows_same(self, other: "Balance") -> bool:
        """Whether both show the same, whatever their times."""
        return self._replace(as_of_us=other.as_of_us) == other


class Mark(NamedTuple):
    """What tells whether a balance was changed: its account's version, and a freeze, which makes no version."""

    version: int
    frozen: bool


def next_change_us(account: "Account", now_us: int) -> int | None:
    """When time alone may change what the account shows: a lot begins or ends, or a hold ends. None: never."""
    times = [account.holds_end_us]
    for lot in account.lots:
        if lot.remaining:
            times += (lot.effective_time_us, lot.expire_time_us)
    return min((time_us for time_us in times if time_us is not None and time_us > now_us), default=None)
