"""Balances: read for many callers in one statement."""

import asyncio
from collections.abc import Callable, Sequence

from billing_service.domain.ledger.balance import Balance
from billing_service.domain.refusals import account_not_found
from billing_service.ledger.gathering import Gatherer
from billing_service.storage.rows.hold_reading import read_present_accounts
from billing_service.storage.store import Store


class BalanceReader:
    """Reads balances. Each holds all that was acknowledged before it was asked for: its batch begins later."""

    def __init__(self, store: Store, clock_us: Callable[[], int], *, batch_max: int, wait_s: float) -> None:
        self._store = store
        self._clock_us = clock_us
        self._gatherer: Gatherer[str, Balance] = Gatherer(self._read, batch_max=batch_max, wait_s=wait_s)

    def balance(self, account_id: str) -> "asyncio.Future[Balance]":
        """One account's balance. The future raises Refusal (ACCOUNT_NOT_FOUND) or Failure."""
        return self._gatherer.submit(account_id)

    async def close(self) -> None:
        await self._gatherer.close()

    async def _read(self, account_ids: Sequence[str]) -> Sequence[Balance | Exception]:
        clock_us = self._clock_us()
        accounts = await self._store.read(lambda: read_present_accounts(sorted(set(account_ids)), clock_us))
        shown = {account_id: account.show(account.moment(clock_us)) for account_id, account in accounts.items()}
        return [shown.get(account_id) or account_not_found(account_id) for account_id in account_ids]
