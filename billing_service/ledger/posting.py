"""One transaction for a whole batch: lock, look up the keys, decide in memory and in order, write set-wise."""

from collections.abc import Callable, Sequence

from billing_service.domain.account import Account, Ids
from billing_service.domain.refusals import Reason, Refusal
from billing_service.ledger.keys import IdempotencyKey
from billing_service.ledger.operations import Answer, Deduct
from billing_service.storage.batch_rows import lock_batch
from billing_service.storage.key_rows import INSERT as INSERT_KEYS
from billing_service.storage.key_rows import KeyId, StoredKey
from billing_service.storage.ledger_rows import write_accounts
from billing_service.storage.statements import Row, Work

Outcome = Answer | Refusal


def post_batch(operations: Sequence[Deduct], clock_us: Callable[[], int], ids: Ids) -> Work[list[Outcome]]:
    """Posts operations in order. One's refusal never touches its neighbours: it is that one's outcome."""
    account_ids = sorted({operation.account_id for operation in operations})
    accounts, spent = yield from lock_batch(account_ids, [operation.key.id for operation in operations])
    batch = _Batch(accounts, spent, clock_us(), ids)
    outcomes = [batch.post(operation) for operation in operations]
    yield from write_accounts(list(accounts.values()), beside=[INSERT_KEYS.many(batch.keys)] if batch.keys else [])
    return outcomes


class _Batch:
    """Operations decided one after the other on accounts that are locked."""

    def __init__(self, accounts: dict[str, Account], spent: dict[KeyId, StoredKey], now_us: int, ids: Ids) -> None:
        self._accounts = accounts
        self._spent = spent
        self._now_us = now_us
        self._ids = ids
        self.keys: list[Row] = []

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
