"""Books credits that ran out. They can't be spent from the moment they expire; this only lets the ledger say so."""

from collections.abc import Callable

from billing_service.commands.clawbacks.expired import book_expired
from billing_service.commands.environment import Environment
from billing_service.ledger.unit import begin
from billing_service.storage.rows.expiry import expired_accounts
from billing_service.storage.statements import Work

ACCOUNTS_A_TRANSACTION = 100
"""Few enough that deductions wait a few milliseconds at most."""


async def sweep_expired(environment: Environment) -> int:
    """Books every lot that has expired; answers for how many accounts."""
    swept = 0
    while True:
        found = await environment.store.read(lambda: expired_accounts(environment.clock_us(), ACCOUNTS_A_TRANSACTION))
        if not found:
            return swept
        booked = await environment.store.write(_booking(environment, found))
        swept += booked
        if not booked:  # another process was faster, or the clock was set back
            return swept


def _booking(environment: Environment, account_ids: list[str]) -> Callable[[], Work[int]]:
    def work() -> Work[int]:
        unit = yield from begin(environment.sources, account_ids)
        booked = yield from book_expired(environment, unit)
        yield from unit.write()
        return booked

    return work
