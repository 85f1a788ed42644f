"""GetBalance of a past moment: what the account would have shown then.

The account's transactions are undone from its state now, or from a snapshot that lies after the moment. Snapshots are
SNAPSHOT_EVERY versions apart, so that what is read does not grow with the account's history. Two snapshots are passed
over where there are two: the end of a hold is booked after it, and is looked for among what is undone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from billing_service.commands.environment import Environment
from billing_service.domain.ledger.account import Account
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.entries import Transaction
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.ledger.past import PastState, Rewind, count_ended, note_booked_later, past_state
from billing_service.domain.refusals import account_not_found, conflict, invalid_field
from billing_service.storage.rows.history import SET_BACK_MAX_US
from billing_service.storage.rows.hold_reading import read_present_accounts
from billing_service.storage.rows.ledger import fetch_lots, read_accounts
from billing_service.storage.rows.past import (
    SNAPSHOTS_PASSED,
    ends_before_taken_back,
    made_at,
    snapshots_after_time,
    snapshots_after_version,
    version_before_time,
    was_frozen,
)
from billing_service.storage.rows.verification import links
from billing_service.storage.statements import Work

LINKS_A_READ = 1_000
"""Transactions read at once, so that no read is long."""
_TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class PastMoment:
    """Which moment is asked for: one of the two."""

    time_us: int | None = None
    version: int | None = None


@dataclass(slots=True)
class _Start:
    """Where the walk back begins."""

    account: Account
    made_us: int
    state: PastState
    newest: str
    """The transaction of that state; empty before the first."""
    floor: int = 0
    """A version that the moment is not before."""


async def past_balance(environment: Environment, account_id: str, moment: PastMoment) -> Balance:
    """Raises ACCOUNT_NOT_FOUND, and INVALID_FIELD for a time that lies ahead or before the account was made, and for a
    version that the account has not reached."""
    for _ in range(_TRIES_MAX):
        begun = await environment.store.read(partial(_begin, account_id, moment, environment.clock_us()))
        if moment.version is not None:
            state, time_us = await _back_to_version(environment, begun, moment.version)
        else:
            assert moment.time_us is not None
            state, time_us = await _back_to_time(environment, begun, moment.time_us), moment.time_us
        shown = await environment.store.read(partial(_shown, begun.account, state, time_us))
        if shown is not None:
            return shown
    raise conflict()


def _begin(account_id: str, moment: PastMoment, clock_us: int) -> Work[_Start]:
    made_us = yield from made_at(account_id)
    if made_us is None:
        raise account_not_found(account_id)
    account = (yield from read_accounts([account_id]))[account_id]
    _check(moment, account, made_us, clock_us)
    present = past_state(
        account.version, account.debt, account.held, {lot.lot_id: lot.remaining for lot in account.lots}
    )
    begun = _Start(account, made_us, present, account.last_transaction_id)
    if moment.version is not None:
        after = yield from snapshots_after_version(account_id, moment.version)
    else:
        assert moment.time_us is not None
        after = yield from snapshots_after_time(account_id, moment.time_us)
        begun.floor = yield from version_before_time(account_id, moment.time_us)
    if len(after) == SNAPSHOTS_PASSED:
        begun.state, begun.newest, _ = after[-1]
    return begun


def _check(moment: PastMoment, account: Account, made_us: int, clock_us: int) -> None:
    if moment.version is not None and moment.version > account.version:
        raise invalid_field("as_of_version", f"the account has come to version {account.version}")
    if moment.time_us is not None and moment.time_us > account.moment(clock_us):
        raise invalid_field("as_of_time", "must not be in the future")
    if moment.time_us is not None and moment.time_us < made_us:
        raise invalid_field("as_of_time", "must not be before the account was made")


async def _back_to_version(environment: Environment, begun: _Start, version: int) -> tuple[PastState, int]:
    """The state after a version, and the time of its transaction."""
    state, booked_later = begun.state, list[Transaction]()
    time_us = begun.made_us

    def step(transaction: Transaction) -> bool:
        nonlocal time_us
        if transaction.version == version:
            time_us = transaction.create_time_us
            return False
        note_booked_later(booked_later, transaction)
        state.undo(transaction)
        return True

    await _walk(environment, begun, step)
    count_ended(state, booked_later, time_us)
    return state, time_us


async def _back_to_time(environment: Environment, begun: _Start, time_us: int) -> PastState:
    rewind = Rewind(begun.state, time_us)

    def step(transaction: Transaction) -> bool:
        if transaction.version <= begun.floor or transaction.create_time_us < time_us - SET_BACK_MAX_US:
            return False
        rewind.step(transaction)
        return True

    await _walk(environment, begun, step)
    return rewind.end()


async def _walk(environment: Environment, begun: _Start, step: Callable[[Transaction], bool]) -> None:
    """Gives `step` each transaction from the beginning of the walk back, until it answers that it needs no more."""
    account_id, newest = begun.account.account_id, begun.newest
    while newest:
        page = await environment.store.read(partial(links, account_id, newest, LINKS_A_READ))
        for transaction in page:
            if not step(transaction):
                return
        newest = page[-1].previous_id


def _shown(account: Account, state: PastState, time_us: int) -> Work[Balance | None]:
    """What the account showed. None: it has changed since the walk began, and with it what is not booked yet."""
    account_id = account.account_id
    frozen = yield from was_frozen(account_id, time_us)
    if state.version == account.version:
        present = (yield from read_present_accounts([account_id], time_us))[account_id]
        if present.version != account.version:
            return None
        present.frozen = frozen
        return present.show(time_us)
    lot_ids = sorted(state.remaining)
    past = Account(account_id, state.version, debt=state.debt, held=state.held, frozen=frozen)
    yield from fetch_lots(past, lot_ids)
    ends = yield from ends_before_taken_back(account_id, lot_ids)
    lots = [_lot_then(lot, state.remaining[lot.lot_id], ends) for lot in past.lots]
    past.lots = []
    for lot in lots:
        past.add_lot(lot)
    return past.show(time_us)


def _lot_then(lot: Lot, remaining: int, ends: Mapping[str, int | None]) -> Lot:
    """What has something left was not taken back yet."""
    return replace(lot, remaining=remaining, expire_time_us=ends.get(lot.lot_id, lot.expire_time_us))
