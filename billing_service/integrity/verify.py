"""Proves balances: follows each account's chain from its head, and computes again from the entries whatever is stored
as a sum."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from billing_service.domain.ledger.entries import Transaction
from billing_service.integrity.account_check import AccountCheck
from billing_service.integrity.differences import Report
from billing_service.integrity.heads import Head
from billing_service.integrity.progress import Progress, unheard
from billing_service.integrity.unreached import unreached
from billing_service.storage.rows.verification import (
    StoredAccount,
    links,
    next_accounts,
    one_account,
    stored_account,
    transaction_total,
)
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

ACCOUNTS_A_READ = 20
LINKS_A_READ = 200
"""Both keep a read short, whatever an account's history: no WAL is kept from shrinking, and no event loop held up for
long."""


class Opened(NamedTuple):
    """An account as one snapshot shows it, and the newest part of its history."""

    stored: StoredAccount
    newest: list[Transaction]


class OpenedPage(NamedTuple):
    """Accounts that follow each other."""

    opened: list[Opened]
    is_last: bool


@dataclass(slots=True)
class Followed:
    """How many transactions were followed, reported after each read."""

    progress: Progress = unheard
    total: int | None = None
    transactions: int = 0

    def add(self, transactions: int) -> None:
        self.transactions += transactions
        self.progress("transactions followed", self.transactions, self.total)


async def verify_ledger(
    store: Store, account_id: str = "", heads: Mapping[str, Head] | None = None, progress: Progress = unheard
) -> Report:
    """Verifies one account, or all of them and that no row is outside them. Where `heads` are given, verifies that the
    chains still contain the heads exported earlier. Safe while a service runs: what is compared was read in one
    snapshot, or never changes."""
    known = heads or {}
    report = Report()
    if account_id:
        for opened in await store.read(lambda: _one(account_id)):
            async for part in followed(store, opened, known, Followed(progress, opened.stored.version)):
                report.add(part)
        return report
    watched = Followed(progress, None if progress is unheard else await store.read(transaction_total))
    async for part in verified_accounts(store, known, watched):
        report.add(part)
    async for part in unreached(store, progress):
        report.add(part)
    for missing in known.keys() - report.heads_found:
        report.compare(missing, "account of an exported head", "a row", "none")
    return report


async def verified_accounts(
    store: Store, heads: Mapping[str, Head], watched: Followed | None = None
) -> AsyncIterator[Report]:
    """Verifies all accounts in order of their ids. Gives what was found after each short read, so that the caller may
    pause: an account's report comes once its history was followed to the end, empty ones before."""
    after = ""
    while True:
        page = await store.read(partial(next_page, after))
        for opened in page.opened:
            async for report in followed(store, opened, heads, watched):
                yield report
        if page.is_last:
            return
        after = page.opened[-1].stored.account_id


async def followed(
    store: Store, opened: Opened, heads: Mapping[str, Head], watched: Followed | None = None
) -> AsyncIterator[Report]:
    """Follows one account's history to its end. Empty reports come before the account's own, one after each read."""
    watched = watched or Followed()
    check = AccountCheck(opened.stored, heads.get(opened.stored.account_id))
    check.follow(opened.newest)
    watched.add(len(opened.newest))
    while check.links_left:
        yield Report()
        found = await store.read(partial(links, check.account_id, check.next_id, min(LINKS_A_READ, check.links_left)))
        check.follow(found)
        watched.add(len(found))
    yield check.end()


def _one(account_id: str) -> Work[list[Opened]]:
    opened = []
    for row in (yield from one_account(account_id)):
        stored = yield from stored_account(row)
        opened.append(Opened(stored, (yield from _newest(stored, LINKS_A_READ))))
    return opened


def next_page(after: str) -> Work[OpenedPage]:
    """The next accounts, as many as fit into a short read; of the last one, perhaps not the whole history."""
    rows = yield from next_accounts(after, ACCOUNTS_A_READ)
    opened: list[Opened] = []
    links_left = LINKS_A_READ
    for row in rows:
        stored = yield from stored_account(row)
        opened.append(Opened(stored, (yield from _newest(stored, links_left))))
        links_left -= len(opened[-1].newest)
        if links_left <= 0:
            break
    return OpenedPage(opened, is_last=len(opened) == len(rows) < ACCOUNTS_A_READ)


def _newest(stored: StoredAccount, links_max: int) -> Work[list[Transaction]]:
    wanted = min(links_max, stored.version)
    return (yield from links(stored.account_id, stored.last_id, wanted)) if stored.last_id and wanted > 0 else []
