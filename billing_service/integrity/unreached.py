"""Finds what no account's chain reaches: rows that were added outside it, and accounts that were cut short together
with their heads' versions."""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Final

from billing_service.integrity.differences import Report
from billing_service.integrity.progress import Progress, unheard
from billing_service.storage.rows.verification import (
    COUNTS,
    ENTRIES_END,
    EVENTS_END,
    LOOSE_ENTRIES,
    LOOSE_EVENTS,
    LOOSE_LOTS,
    LOTS_END,
    MISCOUNTED,
)
from billing_service.storage.statements import Statement, Work
from billing_service.storage.store import Store

ROWS_A_READ = 20_000
FIRST = ""
LAST = "\U0010ffff" * 300
"""Comes after every id, in the order of their bytes."""


async def unreached(store: Store, progress: Progress = unheard) -> AsyncIterator[Report]:
    """Searches the whole ledger. Gives what was found after each read."""
    yield await count(store)
    for what in SEARCHES:
        after, ranges = FIRST, 0
        while after != LAST:
            progress(f"{what} searched", ranges * ROWS_A_READ, None)
            report, after = await search(store, what, after)
            ranges += 1
            yield report


async def count(store: Store) -> Report:
    """Whether there are as many transactions as chains reach, and where not."""
    return await store.read(_counted)


async def search(store: Store, what: str, after: str) -> tuple[Report, str]:
    """Searches the next rows, in order of their ids, for what no chain reaches; answers where to go on, LAST at the
    end.

    `what`: a key of SEARCHES. One range on SQLite, where a long read keeps the write-ahead log from shrinking. All of
    them elsewhere, because some stores keep an account's rows together and have no ranges of times.
    """
    ends, loose = SEARCHES[what]
    if store.name != "sqlite":
        return await store.read(partial(loose, after, LAST)), LAST
    return await store.read(partial(_next_range, ends, loose, after))


def _counted() -> Work[Report]:
    """A chain is as long as its account's version says; following it finds a break. So any more rows are unreached."""
    report = Report()
    ((transactions, versions),) = yield COUNTS()
    if int(transactions) != int(versions):
        for account_id, version, found in (yield MISCOUNTED()):
            report.compare(account_id, "transactions", int(version), int(found))
    return report


def _next_range(ends: Statement, loose: Callable[[str, str], Work[Report]], after: str) -> Work[tuple[Report, str]]:
    rows = yield ends(after, ROWS_A_READ)
    until = rows[0][0] if rows else LAST
    return (yield from loose(after, until)), until


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


def _loose_events(after: str, until: str) -> Work[Report]:
    report = Report()
    for account_id, event_id, version, reached in (yield LOOSE_EVENTS(after, until)):
        report.compare(account_id, f"version that event {event_id} belongs to", f"at most {reached}", version)
    return report


SEARCHES: Final[Mapping[str, tuple[Statement, Callable[[str, str], Work[Report]]]]] = {
    "entries": (ENTRIES_END, _loose_entries),
    "lots": (LOTS_END, _loose_lots),
    "events": (EVENTS_END, _loose_events),
}
"""Where a range of rows ends, and what finds the loose ones in it."""
