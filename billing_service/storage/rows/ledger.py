"""Rows of the ledger, read and written set-wise: the number of statements does not depend on the number of accounts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.lots import Category, Lot, burn_down_order
from billing_service.storage.rows import outbox
from billing_service.storage.rows.holds import hold_calls
from billing_service.storage.rows.ledger_statements import (
    ACCOUNT_COLUMNS,
    INSERT_ENTRIES,
    INSERT_LOTS,
    INSERT_TAKEN_BACK_LOTS,
    INSERT_TRANSACTIONS,
    LOCK_UNCHANGED_ACCOUNTS,
    READ_ACCOUNTS_AND_LOTS,
    READ_LOTS,
    REWRITE_LOTS,
    SET_LIMITS,
    UPDATE_ACCOUNTS,
    UPDATE_ACCOUNTS_AND_HOLDS_END,
    UPDATE_LOTS,
    UPDATE_LOTS_AND_OPEN_FLAG,
)
from billing_service.storage.rows.limit_counters import limit_calls
from billing_service.storage.rows.session_charges import CLOSE as CLOSE_SESSIONS
from billing_service.storage.statements import (
    Call,
    ConditionalWrite,
    Row,
    Together,
    Work,
)
from billing_service.storage.store import StaleError


class LostUpdateError(AssertionError):
    """A statement changed another number of rows than it was given: the unit of work must not commit."""


def expect(changed: int, expected: int, what: str) -> None:
    """Raises unless a write did exactly what was planned: no silent no-op."""
    if changed != expected:
        raise LostUpdateError(f"{what}: {changed} rows changed, {expected} expected")


def write_limits(account: Account) -> Work[None]:
    """Writes an account's limits. Under its lock."""
    expect(
        (yield SET_LIMITS(account.account_id, int(account.frozen), account.overdraft_limit, account.debt_max)),
        1,
        "set account limits",
    )


def account_of(row: Sequence[Any]) -> Account:
    account_id, version, last_transaction_id, last_hash, balance, debt, set_aside, overdraft_limit, frozen = row[:9]
    debt_max, caught_up_version, *holding = row[9:ACCOUNT_COLUMNS]
    behind = version - caught_up_version
    return Account(
        account_id,
        version,
        last_transaction_id,
        last_hash,
        balance,
        debt,
        set_aside,
        overdraft_limit,
        bool(frozen),
        debt_max,
        behind,
        *holding,
    )


_CATEGORIES = {int(category): category for category in Category}


def lot_of(row: Sequence[Any]) -> Lot:
    lot_id, category, *rest = row
    return Lot(lot_id, _CATEGORIES[category], *rest)


def order_lots(found: dict[str, Account]) -> None:
    for account in found.values():
        if len(account.lots) > 1:
            account.lots.sort(key=burn_down_order)


def read_accounts(account_ids: Sequence[str]) -> Work[dict[str, Account]]:
    """Reads accounts and their open lots in one statement, so that they belong together, without locking."""
    found: dict[str, Account] = {}
    for row in (yield READ_ACCOUNTS_AND_LOTS(account_ids)):
        account = found.get(row[0])
        if account is None:
            account = found[row[0]] = account_of(row)
        if row[ACCOUNT_COLUMNS] is not None:
            account.lots.append(lot_of(row[ACCOUNT_COLUMNS:]))
    order_lots(found)
    return found


def fetch_lots(account: Account, lot_ids: Iterable[str]) -> Work[None]:
    """Adds lots to an account in memory that may be empty, and so were not loaded with it."""
    missing = [lot_id for lot_id in lot_ids if lot_id and account.lot(lot_id) is None]
    if missing:
        for row in (yield READ_LOTS(account.account_id, missing)):
            account.add_lot(lot_of(row))


def write_accounts(changed: Sequence[Account], *, beside: Sequence[Call] = ()) -> Work[None]:
    """Writes what was decided on locked accounts: lots, transactions, entries, and the accounts themselves; and
    `beside` them other bulk writes of the same unit."""
    written = [account for account in changed if account.transactions]
    calls = [*_calls(written), *beside] if written else list(beside)
    if not calls:
        return
    counts = yield Together(tuple(calls))
    for call, count in zip(calls, counts, strict=True):
        if call.statement is CLOSE_SESSIONS and count < len(call.values):
            raise StaleError("a session went on meanwhile")
        expect(count, len(call.values), call.statement.name)
    for account in written:
        account.forget_decided()


def write_if_unchanged(changed: Sequence[Account], *, beside: Sequence[Call] = ()) -> Work[Sequence[str]]:
    """Writes what was decided on accounts that nobody locked, all of which changed. What was decided on an account is
    written if it is still as it was when it was decided on. Answers with the ids of the others. A unit's last step."""
    expected = [_expected(account) for account in changed]
    others: Sequence[str] = yield ConditionalWrite((*_calls(changed), *beside), LOCK_UNCHANGED_ACCOUNTS.many(expected))
    for account in changed:
        account.forget_decided()
    return others


def _calls(written: Sequence[Account]) -> list[Call]:
    assert not any(account.behind for account in written), "what an older program wrote is counted first"
    holding = [account for account in written if account.new_holds or account.changed_holds]
    calls = [*_lot_calls(written), *_history_calls(written), *(hold_calls(holding) if holding else ())]
    limited = [account for account in written if account.changed_limits or account.limited_charges]
    if limited:
        calls += limit_calls(limited)
    told = [outbox.row_of(account, event) for account in written for event in account.events]
    return [*calls, outbox.INSERT.many(told)] if told else calls


def _expected(account: Account) -> Row:
    """The account's row before what was decided, as far as it tells whether anything has changed."""
    first = account.transactions[0]
    return (
        account.account_id,
        first.version - 1,
        first.previous_id,
        int(account.frozen),
        account.overdraft_limit,
        account.debt_max,
        account.limits_version,
    )


def _lot_calls(written: Sequence[Account]) -> Iterator[Call]:
    inserted = [_lot_row(account.account_id, lot) for account in written for lot in account.new_lots]
    opened = {row[1] for row in inserted}
    moved: list[Row] = []
    turned: list[Row] = []
    rewritten: list[Row] = []
    for account in written:
        for lot in account.changed_lots.values():
            if lot.lot_id in opened:
                continue
            if lot.lot_id in account.rewritten:
                rewritten.append(rewritten_row(account.account_id, lot))
            elif lot.remaining == 0 or lot.lot_id in account.empty_before:
                turned.append((account.account_id, lot.lot_id, lot.remaining, 1 if lot.remaining else 0, lot.held))
            else:
                moved.append((account.account_id, lot.lot_id, lot.remaining, lot.held))
    for statement, rows in (
        (INSERT_LOTS, inserted),
        (UPDATE_LOTS, moved),
        (UPDATE_LOTS_AND_OPEN_FLAG, turned),
        (REWRITE_LOTS, rewritten),
    ):
        if rows:
            yield statement.many(rows)
    ended = [(a.account_id, lot_id, end_us) for a in written for lot_id, end_us in a.taken_back.items()]
    if ended:
        yield INSERT_TAKEN_BACK_LOTS.many(ended)


def rewritten_row(account_id: str, lot: Lot) -> Row:
    """A row of REWRITE_LOTS."""
    return (
        account_id,
        lot.lot_id,
        lot.remaining,
        1 if lot.remaining else 0,
        lot.expire_time_us,
        lot.expired,
        lot.ended_to,
        lot.held,
    )


def _history_calls(written: Sequence[Account]) -> Iterator[Call]:
    decided = [transaction for account in written for transaction in account.transactions]
    yield INSERT_TRANSACTIONS.many(
        (
            t.account_id,
            t.transaction_id,
            t.version,
            t.previous_id,
            int(t.kind),
            t.amount,
            t.balance_after,
            t.create_time_us,
            t.source_id,
            t.caller,
            t.description,
            t.metadata,
            t.hash,
            t.chain_format,
            t.salt or None,
            t.erased_digest or None,
            t.price_record or None,
            t.effective_time_us,
        )
        for t in decided
    )
    moved = [
        (t.account_id, t.transaction_id, position, entry.source, entry.destination, entry.amount)
        for t in decided
        for position, entry in enumerate(t.entries)
    ]
    if moved:
        yield INSERT_ENTRIES.many(moved)
    yield from _account_calls(written)


def _account_calls(written: Sequence[Account]) -> Iterator[Call]:
    moved: list[Row] = []
    moved_with_end: list[Row] = []
    for a in written:
        row = (
            *_expected(a),
            a.version,
            a.last_transaction_id,
            a.last_hash,
            a.balance,
            a.debt,
            a.set_aside,
            a.version,
            a.held,
            a.holds_open,
            a.transactions[-1].create_time_us,
        )
        if a.writes_holds_end:
            moved_with_end.append((*row, a.holds_end_us))
        else:
            moved.append(row)
    if moved:
        yield UPDATE_ACCOUNTS.many(moved)
    if moved_with_end:
        yield UPDATE_ACCOUNTS_AND_HOLDS_END.many(moved_with_end)


def _lot_row(account_id: str, lot: Lot) -> Row:
    return (
        account_id,
        lot.lot_id,
        int(lot.category),
        lot.priority,
        lot.amount,
        lot.remaining,
        1 if lot.remaining else 0,
        lot.create_time_us,
        lot.effective_time_us,
        lot.expire_time_us,
        lot.source_id,
        lot.expired,
        lot.ended_to,
        lot.held,
    )
