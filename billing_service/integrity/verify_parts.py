"""Verification in parts, each short enough for a call: whoever asks for one after the other verifies a ledger of any
length."""

from functools import partial
from typing import Final, NamedTuple

from billing_service.integrity.differences import Report
from billing_service.integrity.unreached import LAST, ROWS_A_READ, SEARCHES, count, search
from billing_service.integrity.verify import followed, next_page
from billing_service.storage.rows.verification import transaction_total
from billing_service.storage.store import Store

ACCOUNTS: Final = "accounts"


class Place(NamedTuple):
    """Where a part begins: among the accounts, or among rows that no chain may reach (a key of SEARCHES), after an
    id."""

    what: str
    after: str


START: Final = Place(ACCOUNTS, "")
ORDER: Final = (ACCOUNTS, *SEARCHES)
KNOWN: Final = frozenset(ORDER)


class Part(NamedTuple):
    """What one part found."""

    report: Report
    transaction_total: int
    """Of the whole ledger, counted before the first part; 0 in later ones."""
    next: Place | None
    """None when the ledger was verified to its end."""


async def verify_part(store: Store, place: Place, transactions_max: int) -> Part:
    """Verifies from a place on, and ends after at least `transactions_max` transactions followed or rows searched. An
    account's history is never split. What follows the accounts is a part of its own."""
    total = await store.read(transaction_total) if place == START else 0
    verify = _accounts if place.what == ACCOUNTS else _rows
    report, after = await verify(store, place, transactions_max)
    return Part(report, total, Place(place.what, after) if after else _following(place.what))


def _following(what: str) -> Place | None:
    following = ORDER[ORDER.index(what) + 1 :]
    return Place(following[0], "") if following else None


async def _accounts(store: Store, place: Place, transactions_max: int) -> tuple[Report, str]:
    report, after = Report(), place.after
    while report.transactions < transactions_max:
        page = await store.read(partial(next_page, after))
        for opened in page.opened:
            async for part in followed(store, opened, {}):
                report.add(part)
        if page.is_last:
            return report, ""
        after = page.opened[-1].stored.account_id
    return report, after


async def _rows(store: Store, place: Place, rows_max: int) -> tuple[Report, str]:
    report, after, rows = Report(), place.after, 0
    if place == Place(ORDER[1], ""):
        report.add(await count(store))
    while rows < rows_max:
        found, after = await search(store, place.what, after)
        report.add(found)
        if after == LAST:
            return report, ""
        rows += ROWS_A_READ
    return report, after
