"""One transaction for a whole batch: lock, look up the keys, decide in memory and in order, write set-wise."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from billing_service.domain.account import Account, Ids
from billing_service.domain.refusals import Reason, Refusal
from billing_service.ledger.keys import IdempotencyKey
from billing_service.ledger.operations import Answer, Deduct
from billing_service.ledger.remembered import RememberedAccounts
from billing_service.storage.batch_rows import lock_batch
from billing_service.storage.key_rows import INSERT as INSERT_KEYS
from billing_service.storage.key_rows import KeyId, StoredKey
from billing_service.storage.ledger_rows import write_accounts, write_believed
from billing_service.storage.statements import Row, Work

Outcome = Answer | Refusal


class Posted(NamedTuple):
    """A batch that was posted."""

    outcomes: list[Outcome]
    """One for each operation, in order."""
    moved: list[Account]
    """The accounts that changed, as they are now."""


def post_batch(operations: Sequence[Deduct], clock_us: Callable[[], int], ids: Ids, remembered: RememberedAccounts) -> Work[Posted]:
    """Posts operations in order. One's refusal never touches its neighbours: it is that one's outcome.

    Where all accounts are remembered and every operation moves something, the whole batch is one guarded write. Otherwise, and on the
    second run when a guard failed, accounts and keys are read, and what is not so is refused.
    """
    account_ids = sorted({operation.account_id for operation in operations})
    accounts = remembered.take_all(account_ids)
    if accounts is not None:
        batch = _Batch(accounts, {}, clock_us(), ids)
        outcomes = batch.post_all_or_none(operations)
        if outcomes is not None:
            yield from write_believed(list(accounts.values()), beside=[INSERT_KEYS.many(batch.keys)])
            return Posted(outcomes, list(accounts.values()))
    remembered.forget(account_ids)
    accounts, spent = yield from lock_batch(account_ids, [operation.key.id for operation in operations])
    remembered.compare(accounts.values())
    batch = _Batch(accounts, spent, clock_us(), ids)
    outcomes = [batch.post(operation) for operation in operations]
    moved = [account for account in accounts.values() if account.transactions]
    yield from write_accounts(moved, beside=[INSERT_KEYS.many(batch.keys)] if batch.keys else [])
    return Posted(outcomes, moved)


class _Batch:
    """Operations decided one after the other on accounts that are locked."""

    def __init__(self, accounts: dict[str, Account], spent: dict[KeyId, StoredKey], now_us: int, ids: Ids) -> None:
        self._accounts = accounts
        self._spent = spent
        self._now_us = now_us
        self._ids = ids
        self.keys: list[Row] = []

    def post_all_or_none(self, operations: Sequence[Deduct]) -> list[Outcome] | None:
        """Outcomes of operations that all move something, by what is believed; None when one of them does not."""
        outcomes: list[Outcome] = []
        for operation in operations:
            outcome = self.post(operation)
            if len(self.keys) <= len(outcomes):
                return None
            outcomes.append(outcome)
        return outcomes

    def post(self, operation: Deduct) -> Outcome:
        key = operation.key
        try:
            stored = self._spent.get(key.id)
            if stored is not None:
                reply = key.check(stored).reply
                assert reply is not None, "a deduction's key is spent together with its reply"
                return Answer(reply, replayed=True)
            account = self._accounts.get(operation.account_id)
            if account is None:
                return account_not_found(operation.account_id)
            reply, moved = operation.decide(account, self._now_us, self._ids)
        except Refusal as refusal:
            return refusal
        if moved:
            self.keys.append(key_row(key, reply, "", self._now_us))
            self._spent[key.id] = StoredKey(key.fingerprint, reply, "")
        return Answer(reply, replayed=False)


def key_row(key: IdempotencyKey, reply: bytes | None, resource_id: str, now_us: int) -> Row:
    return (key.account_id, key.value, key.scope, key.fingerprint, reply, resource_id, now_us)


def account_not_found(account_id: str) -> Refusal:
    return Refusal(Reason.ACCOUNT_NOT_FOUND, "there is no such account", metadata={"account_id": account_id})
