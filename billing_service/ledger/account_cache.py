"""Accounts as they were after their last deduction, kept so that the next one need not read them.

The cache is only an expectation. It is written back by a conditional write (`storage.rows.ledger.write_if_unchanged`),
so a stale account costs its operations a second run and never correctness. No refusal and no replay is decided from the
cache alone.
"""

import marshal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.holds import Hold, HoldState, Leg
from billing_service.domain.ledger.lots import Category, Lot
from billing_service.domain.ledger.spend_limits import SpendLimit

ACCOUNTS_MAX = 16_384
"""Less than half a kilobyte each, with one lot."""
LOTS_MAX = 8
"""An account of more lots is read each time: it would fill the memory of many."""
HOLDS_MAX = 16
"""Open holds that are kept with an account. Others are read when they are named."""
SPENDERS_MAX = 32
"""Spenders whose limits are kept with an account, those known to have none included."""

_CATEGORIES = {int(category): category for category in Category}

Memory = tuple[Any, ...]
"""An account as plain values. They are kept as the bytes that `marshal` makes of them. Those take half of the memory,
and the garbage collector leaves them alone. As objects, ten thousand accounts kept it busy for 20 to 40 ms
several times a second, in the middle of everybody's calls."""
_MARSHAL_FORMAT = 2
"""Later ones look for values that are the same object, which takes longer."""


class AccountCache:
    """Accounts by id, the one used longest ago forgotten first. Whoever takes accounts owns them until they are kept
    again."""

    def __init__(self) -> None:
        self._accounts: dict[str, bytes] = {}

    def take(self, account_ids: Sequence[str]) -> dict[str, Account]:
        """Those of these accounts that are cached. They are taken out until they are kept again."""
        taken: dict[str, Account] = {}
        for account_id in account_ids:
            memory = self._accounts.pop(account_id, None)
            if memory is not None:
                taken[account_id] = _unpacked(account_id, marshal.loads(memory))  # noqa: S302 - our own bytes
        return taken

    def keep(self, accounts: Iterable[Account]) -> None:
        """Remembers accounts as they were committed."""
        for account in accounts:
            if len(account.lots) > LOTS_MAX:
                continue
            if len(self._accounts) >= ACCOUNTS_MAX:
                del self._accounts[next(iter(self._accounts))]
            self._accounts[account.account_id] = marshal.dumps(_packed(account), _MARSHAL_FORMAT)


def _packed(account: Account) -> Memory:
    lots = tuple(
        [
            (
                lot.lot_id,
                int(lot.category),
                lot.priority,
                lot.amount,
                lot.remaining,
                lot.create_time_us,
                lot.effective_time_us,
                lot.expire_time_us,
                lot.source_id,
                lot.expired,
                lot.ended_to,
                lot.held,
            )
            for lot in account.lots
        ]
    )
    holds = _packed_holds(account.holds.values()) if account.holds else ()
    return (
        account.version,
        account.last_transaction_id,
        account.last_hash,
        account.balance,
        account.debt,
        account.set_aside,
        account.overdraft_limit,
        account.frozen,
        account.debt_max,
        account.held,
        account.holds_open,
        account.holds_end_us,
        account.last_time_us,
        account.limits_version,
        account.low_balance,
        lots,
        holds,
        _packed_limits(account.limits) if account.limits else (),
    )


def _packed_holds(holds: Iterable[Hold]) -> Memory:
    opened = [hold for hold in holds if hold.is_open]
    return tuple(
        [
            (
                *(hold.hold_id, hold.amount, hold.captured, hold.released, hold.expiry_capture),
                *(hold.create_time_us, hold.expire_time_us, hold.caller, hold.description, hold.metadata),
                hold.rate_card_version,
                tuple([(leg.lot_id, int(leg.category), leg.amount, leg.captured, leg.returned) for leg in hold.legs]),
                hold.spender_ids,
            )
            for hold in opened[-HOLDS_MAX:]
        ]
    )


def _unpacked_holds(packed: Memory) -> dict[str, Hold]:
    holds = {}
    for hold_id, amount, captured, released, expiry_capture, created, expires, *about, legs, spender_ids in packed:
        drawn = [Leg(lot_id, _CATEGORIES[category], *moved) for lot_id, category, *moved in legs]
        holds[hold_id] = Hold(
            hold_id,
            HoldState.OPEN,
            amount,
            captured,
            released,
            expiry_capture,
            late_captured=False,
            create_time_us=created,
            expire_time_us=expires,
            caller=about[0],
            description=about[1],
            metadata=about[2],
            legs=drawn,
            rate_card_version=about[3],
            spender_ids=spender_ids,
        )
    return holds


def _packed_limits(limits: Mapping[str, Sequence[SpendLimit]]) -> Memory:
    """None of them where there are too many: they are read again when they are named."""
    if len(limits) > SPENDERS_MAX:
        return ()
    return tuple(
        [
            (spender_id, tuple([(e.window, e.amount_max, e.used, e.window_start_us, e.set_time_us) for e in of_one]))
            for spender_id, of_one in limits.items()
        ]
    )


def _unpacked_limits(packed: Memory) -> dict[str, list[SpendLimit]]:
    return {spender_id: [SpendLimit(spender_id, *values) for values in of_one] for spender_id, of_one in packed}


def _unpacked(account_id: str, memory: Memory) -> Account:
    version, last_transaction_id, last_hash, balance, debt, set_aside, overdraft_limit, frozen, debt_max, *rest = memory
    held, holds_open, holds_end_us, last_time_us, limits_version, low_balance, lots, holds, limits = rest
    recalled = [Lot(lot_id, _CATEGORIES[category], *rest) for lot_id, category, *rest in lots]
    return Account(
        account_id,
        version,
        last_transaction_id,
        last_hash,
        balance,
        debt,
        set_aside,
        overdraft_limit,
        frozen,
        debt_max,
        held=held,
        holds_open=holds_open,
        holds_end_us=holds_end_us,
        last_time_us=last_time_us,
        limits_version=limits_version,
        low_balance=low_balance,
        lots=recalled,
        holds=_unpacked_holds(holds) if holds else {},
        limits=_unpacked_limits(limits) if limits else {},
    )
