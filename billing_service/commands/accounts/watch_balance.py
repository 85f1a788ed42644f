"""WatchBalance: what watchers of balances are shown, read for all of them together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.domain.ledger.account import CLOCKS_APART_MAX_US
from billing_service.domain.ledger.balance import Balance, Mark, next_change_us
from billing_service.storage.rows.account_marks import read_marks
from billing_service.storage.rows.hold_reading import read_present_accounts


class Shown(NamedTuple):
    """An account as it was read."""

    balance: Balance
    mark: Mark
    change_us: int | None
    """When time alone may change the balance; None: never."""


@dataclass(slots=True)
class BalanceSource:
    """Reads what is watched. Later reads are never older than earlier ones."""

    environment: Environment
    _latest_us: int = 0

    def now_us(self) -> int:
        """The clock, which does not go back here: an expired lot does not come alive again in front of a watcher. A
        time further ahead was a clock's mistake."""
        clock_us = self.environment.clock_us()
        if not 0 < self._latest_us - clock_us <= CLOCKS_APART_MAX_US:
            self._latest_us = clock_us
        return self._latest_us

    async def read(self, account_ids: Sequence[str]) -> dict[str, Shown]:
        """Those of these accounts that exist, in a fixed number of statements. Raises Failure."""
        clock_us = self.now_us()
        accounts = await self.environment.store.read(partial(read_present_accounts, account_ids, clock_us))
        shown = {}
        for account_id, account in accounts.items():
            now_us = account.moment(clock_us)
            mark = Mark(account.version, account.frozen)
            shown[account_id] = Shown(account.show(now_us), mark, next_change_us(account, now_us))
        return shown

    async def marks(self, account_ids: Sequence[str]) -> dict[str, Mark]:
        """In one statement. Raises Failure."""
        return await self.environment.store.read(partial(read_marks, account_ids))
