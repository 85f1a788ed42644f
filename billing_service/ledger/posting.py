"""One transaction for a whole batch: lock, look up the keys, decide in memory and in order, write set-wise."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.holds import book_ended_holds
from billing_service.domain.ledger.thresholds import tell_crossings
from billing_service.domain.refusals import Refusal, account_not_found
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.domain.spending.limits import count_decided
from billing_service.ledger.account_cache import AccountCache
from billing_service.ledger.keys import Answer, key_row
from billing_service.ledger.operations.operation import Operation
from billing_service.ledger.returned_bonuses import note_returns
from billing_service.storage.rows.batches import lock_batch, read_batch
from billing_service.storage.rows.hold_reading import fetch_holds
from billing_service.storage.rows.keys import INSERT as INSERT_KEYS
from billing_service.storage.rows.keys import KeyId, StoredKey
from billing_service.storage.rows.ledger import write_accounts, write_if_unchanged
from billing_service.storage.rows.spend_limits import fetch_limits, missing_limits
from billing_service.storage.statements import Row, Work

Outcome = Answer | Refusal
Saw = Callable[[Iterable[Account]], None]
"""Is told what accounts were found to be, under their locks."""


class Judgement(NamedTuple):
    """What decisions are made with."""

    clock_us: Callable[[], int]
    ids: Ids
    terms: SpendingTerms


class Posted(NamedTuple):
    """A batch that was posted."""

    outcomes: list[Outcome | None]
    """One for each operation, in order. None for those that run again, locking first: all of their accounts."""
    moved: list[Account]
    """The accounts that changed, as they are now."""
    changed: frozenset[str] = frozenset()
    """Accounts that others changed, or had locked, since they were read or cached. Nothing of them was written."""


def post_batch(
    operations: Sequence[Operation[Any]], judgement: Judgement, cache: AccountCache, *, saw: Saw | None
) -> Work[Posted]:
    """Posts operations in order. One's refusal never touches its neighbours: it is that one's outcome.

    Accounts that are not cached are read without a lock, with the keys of their operations, and all is written in one
    conditional write. What was read at this moment may be refused or replayed; what was only cached may not: then the
    account's operations run again, as where others changed the account.

    With `saw` the batch locks first and then reads: `saw` is told what accounts were found to be. All is decided then.
    """
    account_ids = sorted({operation.account_id for operation in operations})
    if saw is not None:
        return (yield from _post_locked(account_ids, operations, judgement, saw))
    accounts = cache.take(account_ids)
    unknown = [account_id for account_id in account_ids if account_id not in accounts]
    expected = frozenset(accounts)
    spent: dict[KeyId, StoredKey] = {}
    if unknown:
        read, spent = yield from read_batch(
            unknown, [operation.key.id for operation in operations if operation.account_id not in expected]
        )
        accounts.update(read)
    batch = _Batch(accounts, spent, judgement)
    batch.leave_out(account.account_id for account in list(accounts.values()) if account.behind)
    changed = yield from batch.fetch(operations, unlocked=True)
    outcomes = [batch.post(operation) for operation in operations]
    batch.leave_out(batch.unmoved & expected)
    batch.leave_out(account.account_id for account in list(accounts.values()) if account.has_passed_on)
    moved = [account for account in accounts.values() if account.transactions]
    keys = [row for row in batch.keys if row[0] not in batch.left_out] if batch.left_out else batch.keys
    tell_crossings(moved, judgement.ids)
    if moved:
        others = yield from write_if_unchanged(moved, beside=[INSERT_KEYS.many(keys)] if keys else [])
        changed = changed.union(others)
        batch.leave_out(others)
    if not batch.left_out:
        return Posted(outcomes, moved)
    return Posted(
        [
            None if operation.account_id in batch.left_out else outcome
            for operation, outcome in zip(operations, outcomes, strict=True)
        ],
        [account for account in moved if account.account_id not in batch.left_out],
        frozenset(changed),
    )


def _post_locked(
    account_ids: Sequence[str], operations: Sequence[Operation[Any]], judgement: Judgement, saw: Saw
) -> Work[Posted]:
    accounts, spent = yield from lock_batch(account_ids, [operation.key.id for operation in operations])
    saw(accounts.values())
    batch = _Batch(accounts, spent, judgement)
    yield from batch.fetch(operations, unlocked=False)
    outcomes = []
    for operation in operations:
        outcomes.append(batch.post(operation))
        account = accounts.get(operation.account_id)
        if account is not None and account.has_passed_on:
            yield from batch.note_returns(account)
    moved = [account for account in accounts.values() if account.transactions]
    tell_crossings(moved, judgement.ids)
    yield from write_accounts(moved, beside=[INSERT_KEYS.many(batch.keys)] if batch.keys else [])
    return Posted(outcomes, moved)


class _Batch:
    """Operations decided one after the other on accounts that are locked, or as they were read."""

    def __init__(self, accounts: dict[str, Account], spent: dict[KeyId, StoredKey], judgement: Judgement) -> None:
        self._accounts = accounts
        self._spent = spent
        clock_us, self._ids, self._terms = judgement
        self._clock_us = clock_us()
        self._noted: dict[str, int] = {}
        self.keys: list[Row] = []
        self.unmoved: set[str] = set()
        """Accounts of operations that were refused or replayed."""
        self.left_out: set[str] = set()
        """Accounts whose operations are not decided here."""

    def leave_out(self, account_ids: Iterable[str]) -> None:
        for account_id in account_ids:
            self.left_out.add(account_id)
            self._accounts.pop(account_id, None)

    def fetch(self, operations: Sequence[Operation[Any]], *, unlocked: bool) -> Work[set[str]]:
        """Fetches what operations name besides their accounts: holds, and the limits that they count at. Books the
        holds that have ended, before anything is decided. Answers with the accounts that others changed meanwhile,
        which are left out."""
        changed: set[str] = set()
        needs_holds = self._needs_holds(operations)
        if needs_holds:
            named = [(operation.account_id, operation.hold_id) for operation in operations if operation.hold_id]
            changed = yield from fetch_holds(self._accounts, named, self._clock_us, unlocked=unlocked)
            self.leave_out(changed)
        missing = missing_limits(self._accounts, ((each.account_id, each.spender_ids) for each in operations))
        if missing:
            yield from fetch_limits(self._accounts, missing, unlocked=unlocked)
        for account in self._accounts.values() if needs_holds else ():
            book_ended_holds(account, now_us=account.moment(self._clock_us), ids=self._ids)
            count_decided(account, (), self._terms.windows)
            if account.has_passed_on and not unlocked:
                yield from self.note_returns(account)
        return changed

    def _needs_holds(self, operations: Sequence[Operation[Any]]) -> bool:
        """Whether holds are to be fetched, or ended ones booked."""
        return any(operation.hold_id for operation in operations) or any(
            account.has_ended_holds(account.moment(self._clock_us)) for account in self._accounts.values()
        )

    def note_returns(self, account: Account) -> Work[None]:
        """See `ledger.returned_bonuses`. Under the account's lock."""
        since = self._noted.get(account.account_id, 0)
        now_us = account.moment(self._clock_us)
        self._noted[account.account_id] = yield from note_returns(
            account, since, now_us=now_us, ids=self._ids, terms=self._terms
        )

    def post(self, operation: Operation[Any]) -> Outcome | None:
        """None of an account that is left out."""
        if self.left_out and operation.account_id in self.left_out:
            return None
        keys = len(self.keys)
        try:
            return self._post(operation)
        except Refusal as refusal:
            return refusal
        finally:
            if len(self.keys) == keys:
                self.unmoved.add(operation.account_id)

    def _post(self, operation: Operation[Any]) -> Answer:
        key = operation.key
        stored = self._spent.get(key.id)
        if stored is not None:
            answer = key.replay(stored)
            assert answer is not None, "a deduction's key is spent together with its reply"
            return answer
        account = self._accounts.get(operation.account_id)
        if account is None:
            raise account_not_found(operation.account_id)
        now_us = account.moment(self._clock_us)
        decision = operation.decide(account, now_us, self._ids, self._terms)
        if account.limits_version:
            count_decided(account, operation.spender_ids, self._terms.windows)
        reply = operation.encode_reply(decision, account.show(now_us))
        self.keys.append(key_row(key, reply, "", now_us))
        self._spent[key.id] = StoredKey(key.fingerprint, reply, "")
        return Answer(reply, replayed=False)
