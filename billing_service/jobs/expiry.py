"""Books credits that ran out, and holds that ended. Both have their effect from that moment on; this only lets the
ledger say so."""

from collections.abc import Callable
from functools import partial

from billing_service.commands.clawbacks.expired import book_expired
from billing_service.commands.environment import Environment
from billing_service.ledger.unit import begin
from billing_service.storage.rows.expiry import accounts_with_ended_holds, expired_accounts, set_holds_end
from billing_service.storage.statements import Work

ACCOUNTS_A_TRANSACTION = 100
"""Few enough that deductions wait a few milliseconds at most."""


async def sweep_expired(environment: Environment) -> int:
    """Books every hold that has ended and every lot that has expired; answers for how many accounts."""
    return await sweep_ended_holds(environment) + await _sweep(environment, expired_accounts, _booking_of_lots)


async def sweep_ended_holds(environment: Environment) -> int:
    """Books every hold that has ended; answers for how many accounts."""
    return await _sweep(environment, accounts_with_ended_holds, _booking_of_holds)


async def _sweep(
    environment: Environment,
    find: Callable[[int, int], Work[list[str]]],
    book: Callable[[Environment, list[str]], Work[int]],
) -> int:
    swept = 0
    while True:
        found = await environment.store.read(partial(find, environment.clock_us(), ACCOUNTS_A_TRANSACTION))
        if not found:
            return swept
        booked = await environment.store.write(partial(book, environment, found))
        swept += booked
        if not booked:  # another process was faster, or the clock was set back
            return swept


def _booking_of_lots(environment: Environment, account_ids: list[str]) -> Work[int]:
    unit = yield from begin(environment.sources, account_ids)
    booked = yield from book_expired(unit)
    yield from unit.write()
    return booked


def _booking_of_holds(environment: Environment, account_ids: list[str]) -> Work[int]:
    """Whoever locks an account books its ended holds. Where none had ended, because it was closed before, only the end
    of the next one is to be noted."""
    unit = yield from begin(environment.sources, account_ids)
    booked = 0
    for account in unit.accounts.values():
        if account.transactions:
            booked += 1
        elif not account.has_ended_holds(unit.now_us):
            yield from set_holds_end(account.account_id, account.holds_end_us)
            booked += 1
    yield from unit.write()
    return booked
