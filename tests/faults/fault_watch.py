"""What watchers of balances are shown, struck by faults."""

from billing_service.commands.accounts.watch_balance import BalanceSource
from tests.faults.fault_operations import account_of, granted, operation
from tests.support.fault_service import Told


@operation("watched balance", unkeyed=True)
async def watched_balance(service, tag):
    await granted(service, account_of(tag))

    async def call(now):
        source = BalanceSource(now.environment)
        marks = await source.marks([account_of(tag)])
        shown = await source.read([account_of(tag)])
        (read,) = shown.values()
        assert marks == {account_of(tag): read.mark}
        return [Told(f"{read.balance.available} in version {read.balance.version}", replayed=False)]

    return call


WATCH_OPERATIONS = (watched_balance,)
