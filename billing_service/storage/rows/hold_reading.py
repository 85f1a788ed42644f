"""Fetches the holds that a unit of work needs: those that it names, and those whose time is up. How many statements it
takes does not depend on how many accounts and holds there are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.entries import is_lot
from billing_service.domain.ledger.holds import count_ended_holds, ended_holds, lots_of
from billing_service.domain.spending.unpriced import session_end
from billing_service.storage.rows.holds import ENDED_HOLDS_MAX, READ_DRAWN_LOTS, READ_ENDED_HOLDS, READ_HOLDS, hold_of
from billing_service.storage.rows.ledger import lot_of, read_accounts
from billing_service.storage.rows.session_charges import read_charges
from billing_service.storage.statements import Call, UnlockedRead, Work
from billing_service.storage.store import StaleError

COUNTED_HOLDS_MAX = 1_000
"""Ended holds that a reader counts before they are booked. More still count as held, until somebody books them."""

HoldName = tuple[str, str]
"""Account and hold."""


def fetch_holds(
    accounts: Mapping[str, Account],
    named: Iterable[HoldName],
    clock_us: int,
    *,
    unlocked: bool = False,
    page: int | None = None,
) -> Work[set[str]]:
    """Adds to accounts in memory the holds that are named and exist, those that have ended and are not booked, at most
    `page` of them (ENDED_HOLDS_MAX when None), and the lots that they drew on.

    Without a lock an account may have changed since it was read or cached: what is fetched of it would belong to
    another moment. Answers with the ids of these accounts, which are no longer of use.
    """
    reading = _Reading(accounts, unlocked=unlocked)
    due = [a for a in accounts.values() if a.has_ended_holds(a.moment(clock_us))]
    ends = [account for account in due if account.holds_open]
    for account in due:
        account.holds_end_us = account.holds_end_us if account.holds_open else None
        account.writes_holds_end = True
    if ends:
        yield from _fetch_ended(reading, ends, clock_us, ENDED_HOLDS_MAX if page is None else page)
    names = [(account_id, hold_id) for account_id, hold_id in named if account_id in accounts]
    missing = sorted({name for name in names if name[1] not in accounts[name[0]].holds})
    if missing:
        account_ids, hold_ids = zip(*missing, strict=True)
        for row in (yield from reading.rows(READ_HOLDS(sorted(set(account_ids)), hold_ids))):
            accounts[row[0]].holds.setdefault(row[2], hold_of(row[2:]))
    wanted: dict[str, set[str]] = {}
    for account_id, hold_id in names:
        hold = accounts[account_id].holds.get(hold_id)
        if hold is not None:
            wanted.setdefault(account_id, set()).update(lots_of([hold]))
    for account in ends:
        ended = ended_holds(account, account.moment(clock_us))
        wanted.setdefault(account.account_id, set()).update(lots_of(ended))
    yield from _fetch_lots(reading, wanted)
    named_ids = {hold_id for _, hold_id in names}
    sessions = [
        (account.account_id, hold)
        for account in accounts.values()
        for hold in account.holds.values()
        if hold.is_session and hold.is_open
        if hold.hold_id in named_ids or hold.expire_time_us <= account.moment(clock_us)
    ]
    if sessions:
        for row in (yield from reading.rows(read_charges(sessions))):
            hold = accounts[row[0]].holds[row[2]]
            hold.session_end = session_end(hold.amount, row[3], bytes(row[4] or b""))
    return reading.changed


def read_present_accounts(account_ids: Sequence[str], clock_us: int) -> Work[dict[str, Account]]:
    """Accounts as they are at a time, for who only reads: holds that have ended count as ended, booked or not."""
    accounts = yield from read_accounts(account_ids)
    if any(account.has_ended_holds(account.moment(clock_us)) for account in accounts.values()):
        yield from fetch_holds(accounts, (), clock_us, page=COUNTED_HOLDS_MAX)
        for account in accounts.values():
            count_ended_holds(account, account.moment(clock_us))
    return accounts


class _Reading:
    """Reads with or without a lock. Each row begins with an account and its version."""

    def __init__(self, accounts: Mapping[str, Account], *, unlocked: bool) -> None:
        self.accounts = accounts
        self._unlocked = unlocked
        self.changed: set[str] = set()
        """Accounts that have another version by now."""

    def rows(self, call: Call) -> Work[list[Sequence[Any]]]:
        found = yield (UnlockedRead(call) if self._unlocked else call)
        self.changed.update(row[0] for row in found if row[1] != self.accounts[row[0]].version)
        if self.changed and not self._unlocked:
            raise StaleError("an account changed before its holds were read")
        return [row for row in found if row[0] not in self.changed] if self.changed else list(found)


def _fetch_ended(reading: _Reading, due: Sequence[Account], clock_us: int, page: int) -> Work[None]:
    """The holds that have ended, and for each account when the next one ends."""
    latest_us = max(account.moment(clock_us) for account in due)
    call = READ_ENDED_HOLDS(sorted(account.account_id for account in due), latest_us, page)
    rows = yield from reading.rows(call)
    ended = [row for row in rows if row[3] is not None]
    next_ends: dict[str, list[int]] = {account.account_id: [] for account in due}
    for row in rows:
        account = reading.accounts[row[0]]
        if row[2] is not None:
            next_ends[row[0]].append(row[2])
        if row[3] is not None:
            hold = account.holds.setdefault(row[3], hold_of(row[3:]))
            if hold.expire_time_us > account.moment(clock_us):
                next_ends[row[0]].append(hold.expire_time_us)
    if len(ended) < page:  # else there may be more that have ended, which whoever comes next books
        for account in due:
            account.holds_end_us = min(next_ends[account.account_id], default=None)


def _fetch_lots(reading: _Reading, wanted: Mapping[str, set[str]]) -> Work[None]:
    """Lots, and those that came in the stead of lots that were taken back."""
    while True:
        known = {account_id: {lot.lot_id for lot in reading.accounts[account_id].lots} for account_id in wanted}
        missing = {account_id: lot_ids - known[account_id] for account_id, lot_ids in wanted.items()}
        account_ids = sorted(account_id for account_id, lot_ids in missing.items() if lot_ids)
        if account_ids:
            lot_ids = sorted(lot_id for account_id in account_ids for lot_id in missing[account_id])
            for row in (yield from reading.rows(READ_DRAWN_LOTS(account_ids, lot_ids))):
                reading.accounts[row[0]].add_lot(lot_of(row[2:]))
        heirs = {
            account_id: {
                lot.ended_to
                for lot in reading.accounts[account_id].lots
                if lot.lot_id in lot_ids and is_lot(lot.ended_to)
            }
            for account_id, lot_ids in wanted.items()
        }
        wanted = {account_id: lot_ids for account_id, lot_ids in heirs.items() if lot_ids}
        if not wanted:
            return
