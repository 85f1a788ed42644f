"""Writes snapshots of the balances of accounts with long histories, which bound what a past balance takes to read."""

from functools import partial

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.past import SNAPSHOT_EVERY, SnapshotMaker, past_state
from billing_service.storage.rows.ledger import read_accounts
from billing_service.storage.rows.past import add_snapshots, newest_snapshot
from billing_service.storage.rows.verification import links, next_heads
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

ACCOUNTS_A_READ = 1_000
LINKS_A_READ = 1_000
SNAPSHOTS_A_TRANSACTION = 50


class Snapshots:
    """Writes the snapshots that are missing, from an account's oldest on: what a stop leaves, the next run writes."""

    def __init__(self, store: Store, every: int = SNAPSHOT_EVERY) -> None:
        """`every`: versions from one snapshot of an account to the next."""
        self._store = store
        self._every = every
        self._done: dict[str, int] = {}
        """Of accounts that were looked at, the version of the newest snapshot."""

    async def run(self) -> int:
        """Looks at all accounts; answers how many snapshots it wrote."""
        written, after = 0, ""
        while True:
            heads = await self._store.read(partial(next_heads, after, ACCOUNTS_A_READ))
            for account_id, version, _ in heads:
                if version >= self._done.get(account_id, 0) + self._every:
                    written += await self._write(account_id)
            if len(heads) < ACCOUNTS_A_READ:
                return written
            after = heads[-1][0]

    async def _write(self, account_id: str) -> int:
        account, done, reached_us = await self._store.read(partial(_head, account_id))
        remaining = {lot.lot_id: lot.remaining for lot in account.lots}
        maker = SnapshotMaker(past_state(account.version, account.debt, account.held, remaining), self._every)
        newest, version = account.last_transaction_id, account.version
        is_due = version >= done + self._every
        while is_due and version > done:
            page = await self._store.read(partial(links, account_id, newest, LINKS_A_READ))
            for transaction in page:
                if transaction.version > done:
                    maker.step(transaction)
            newest, version = page[-1].previous_id, page[-1].version - 1
        made = maker.end(reached_us)
        for start in range(0, len(made), SNAPSHOTS_A_TRANSACTION):
            part = made[start : start + SNAPSHOTS_A_TRANSACTION]
            await self._store.write(partial(add_snapshots, account_id, part))
        self._done[account_id] = made[-1][0].version if made else done
        return len(made)


def _head(account_id: str) -> Work[tuple[Account, int, int]]:
    done, reached_us = yield from newest_snapshot(account_id)
    account = (yield from read_accounts([account_id]))[account_id]
    return account, done, reached_us
