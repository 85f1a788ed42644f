"""One transaction for a whole batch: lock, look up the keys, decide in memory and in order, write set-wise."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.refusals import Refusal, account_not_found
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.ledger.account_cache import AccountCache
from billing_service.ledger.keys import Answer, IdempotencyKey
from billing_service.ledger.operations.operation import Operation
from billing_service.storage.rows.batches import lock_batch, read_batch
from billing_service.storage.rows.keys import INSERT as INSERT_KEYS
from billing_service.storage.rows.keys import KeyId, StoredKey
from billing_service.storage.rows.ledger import write_accounts, write_if_unchanged
from billing_service.storage.statements import Row, Work
from billing_service.storage.store import StaleError

Outcome = Answer | Refusal


class Judgement(NamedTuple):
    """What decisions are made with."""

    clock_us: Callable[[], int]
    ids: Ids
    terms: SpendingTerms


class Posted(NamedTuple):
    """A batch that was posted."""

    outcomes: list[Outcome]
    """One for each operation, in order."""
    moved: list[Account]
    """The accounts that changed, as they are now."""


def post_batch(
    operations: Sequence[Operation[Any]], judgement: Judgement, cache: AccountCache, *, lock_first: bool
) -> Work[Posted]:
    """Posts operations in order. One's refusal never touches its neighbours: it is that one's outcome.

    Accounts that are not cached are read without a lock, with the keys of their operations, and all is written in one
    conditional write. What was read at this moment may be refused or replayed; what was only cached may not.
    `lock_first` batches lock first and then read: those whose first run was stale.
    """
    account_ids = sorted({operation.account_id for operation in operations})
    if lock_first:
        return (yield from _post_locked(account_ids, operations, judgement, cache))
    accounts = cache.take(account_ids)
    unknown = [account_id for account_id in account_ids if account_id not in accounts]
    expected = frozenset(accounts)
    spent: dict[KeyId, StoredKey] = {}
    if unknown:
        read, spent = yield from read_batch(
            unknown, [operation.key.id for operation in operations if operation.account_id not in expected]
        )
        if any(account.behind for account in read.values()):
            raise StaleError("an older program wrote")
        accounts.update(read)
    batch = _Batch(accounts, spent, judgement)
    outcomes = [batch.post(operation) for operation in operations]
    if batch.unmoved & expected:
        raise StaleError("an answer from memory")
    moved = [account for account in accounts.values() if account.transactions]
    if moved:
        yield from write_if_unchanged(moved, beside=[INSERT_KEYS.many(batch.keys)])
    return Posted(outcomes, moved)


def _post_locked(
    account_ids: Sequence[str], operations: Sequence[Operation[Any]], judgement: Judgement, cache: AccountCache
) -> Work[Posted]:
    accounts, spent = yield from lock_batch(account_ids, [operation.key.id for operation in operations])
    cache.compare(accounts.values())
    batch = _Batch(accounts, spent, judgement)
    outcomes = [batch.post(operation) for operation in operations]
    moved = [account for account in accounts.values() if account.transactions]
    yield from write_accounts(moved, beside=[INSERT_KEYS.many(batch.keys)] if batch.keys else [])
    return Posted(outcomes, moved)


class _Batch:
    """Operations decided one after the other on accounts that are locked."""

    def __init__(self, accounts: dict[str, Account], spent: dict[KeyId, StoredKey], judgement: Judgement) -> None:
        self._accounts = accounts
        self._spent = spent
        clock_us, self._ids, self._terms = judgement
        self._now_us = clock_us()
        self.keys: list[Row] = []
        self.unmoved: set[str] = set()
        """Accounts of operations that were refused or replayed."""

    def post(self, operation: Operation[Any]) -> Outcome:
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
        decision = operation.decide(account, self._now_us, self._ids, self._terms)
        reply = operation.encode_reply(decision, account.show(self._now_us))
        self.keys.append(key_row(key, reply, "", self._now_us))
        self._spent[key.id] = StoredKey(key.fingerprint, reply, "")
        return Answer(reply, replayed=False)


def key_row(key: IdempotencyKey, reply: bytes | None, resource_id: str, now_us: int) -> Row:
    return (key.account_id, key.value, key.scope, key.fingerprint, reply, resource_id, now_us)
