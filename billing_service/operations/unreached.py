"""Finds what no account's chain reaches: rows that were added beside it, and accounts that were cut short together with their heads'
versions."""

from collections.abc import AsyncIterator, Callable
from functools import partial

from billing_service.operations.differences import Report
from billing_service.storage.statements import Statement, Work
from billing_service.storage.store import Store
from billing_service.storage.verify_rows import COUNTS, ENTRIES_END, LOOSE_ENTRIES, LOOSE_LOTS, LOTS_END, MISCOUNTED

ROWS_A_READ = 20_000
FIRST = ""
LAST = "\U0010ffff" * 300
"""Comes after every id, in the order of their bytes."""


async def unreached(store: Store) -> AsyncIterator[Report]:
    """Searches the whole ledger. Gives what was found after each read."""
    yield await store.read(_counted)
    for ends, search in ((ENTRIES_END, _loose_entries), (LOTS_END, _loose_lots)):
        if store.name != "sqlite":
            # Some keep an account's rows together and have no ranges of times; and a long read keeps no journal from shrinking.
            yield await store.read(partial(search, FIRST, LAST))
            continue
        after = FIRST
        while after != LAST:
            report, after = await store.read(partial(_next_range, ends, search, after))
            yield report


def _counted() -> Work[Report]:
    """A chain is as long as its account's version says, or following it tells. So more rows are more than it reaches."""
    report = Report()
    ((transactions, versions),) = yield COUNTS()
    if int(transactions) != int(versions):
        for account_id, version, found in (yield MISCOUNTED()):
            report.compare(account_id, "transactions", int(version), int(found))
    return report


def _next_range(ends: Statement, search: Callable[[str, str], Work[Report]], after: str) -> Work[tuple[Report, str]]:
    rows = yield ends(after, ROWS_A_READ)
    until = rows[0][0] if rows else LAST
    return (yield from search(after, until)), until


def _loose_entries(after: str, until: str) -> Work[Report]:
    report = Report()
    for account_id, transaction_id in (yield LOOSE_ENTRIES(after, until)):
        report.compare(account_id, f"transaction {transaction_id} of an entry", "a row", "none")
    return report


def _loose_lots(after: str, until: str) -> Work[Report]:
    report = Report()
    for account_id, lot_id in (yield LOOSE_LOTS(after, until)):
        report.compare(account_id, f"account of lot {lot_id}", "a row", "none")
    return report
