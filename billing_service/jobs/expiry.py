"""Books credits that ran out. They can't be spent from the moment they expire; this only lets the ledger say so."""

from collections.abc import Callable

from billing_service.clock import ClockUs
from billing_service.domain.ledger.account import Ids
from billing_service.domain.ledger.granting import expire
from billing_service.storage.rows.expiry import expired_accounts
from billing_service.storage.rows.ledger import lock_accounts, write_accounts
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

ACCOUNTS_A_TRANSACTION = 100
"""Few enough that deductions wait a few milliseconds at most."""


async def sweep_expired(store: Store, clock_us: ClockUs, ids: Ids) -> int:
    """Books every lot that has expired; answers for how many accounts."""
    swept = 0
    while True:
        found = await store.read(lambda: expired_accounts(clock_us(), ACCOUNTS_A_TRANSACTION))
        if not found:
            return swept
        booked = await store.write(_booking(found, clock_us, ids))
        swept += booked
        if not booked:  # another process was faster, or the clock was set back
            return swept


def _booking(account_ids: list[str], clock_us: ClockUs, ids: Ids) -> Callable[[], Work[int]]:
    def work() -> Work[int]:
        accounts = yield from lock_accounts(sorted(account_ids))
        now_us = clock_us()
        booked = [account for account in accounts.values() if expire(account, now_us=now_us, ids=ids)]
        yield from write_accounts(booked)
        return len(booked)

    return work
