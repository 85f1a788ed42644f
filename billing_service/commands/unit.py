"""The shape of every changing command: lock, look up the key, decide, write, spend the key and leave a line in the audit log,
in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from billing_service.commands.environment import Caller, Environment
from billing_service.domain.ledger.account import Account, Ids
from billing_service.ledger.keys import IdempotencyKey
from billing_service.ledger.operations import Answer
from billing_service.ledger.posting import account_not_found, key_row
from billing_service.storage.rows.access import AUDIT, AuditRow
from billing_service.storage.rows.keys import StoredKey, answer_key, find_keys, insert_keys
from billing_service.storage.rows.ledger import lock_accounts, write_accounts
from billing_service.storage.rows.profiles import ensure_account
from billing_service.storage.statements import Work


@dataclass(slots=True)
class Unit:
    """One transaction in progress, its accounts locked."""

    environment: Environment
    accounts: dict[str, Account]
    now_us: int

    @property
    def ids(self) -> Ids:
        return self.environment.ids

    def account(self, account_id: str) -> Account:
        """A locked account. Raises ACCOUNT_NOT_FOUND."""
        account = self.accounts.get(account_id)
        if account is None:
            raise account_not_found(account_id)
        return account

    def write(self) -> Work[None]:
        """Writes what was decided on its accounts."""
        yield from write_accounts(list(self.accounts.values()))


def begin(environment: Environment, account_ids: Sequence[str], *, make_missing: bool = False) -> Work[Unit]:
    """Locks accounts in order of their ids; with `make_missing`, makes those that are not there."""
    ordered = sorted(set(account_ids))
    if make_missing:
        for account_id in ordered:
            yield from ensure_account(account_id, environment.clock_us(), environment.new_referral_code)
    accounts = yield from lock_accounts(ordered)
    return Unit(environment, accounts, environment.clock_us())


def find_key(key: IdempotencyKey) -> Work[StoredKey | None]:
    """The key as it was spent by the same request; None when it is free. To be asked under the account's lock.
    Raises IDEMPOTENCY_KEY_REUSED."""
    stored = (yield from find_keys([key.id])).get(key.id)
    return None if stored is None else key.check(stored)


def record_key(unit: Unit, key: IdempotencyKey, reply: bytes | None, resource_id: str = "") -> Work[None]:
    yield from insert_keys([key_row(key, reply, resource_id, unit.now_us)])


def answer_begun(unit: Unit, key: IdempotencyKey, stored: StoredKey | None, reply: bytes, resource_id: str) -> Work[None]:
    """Keeps the reply of what a call had begun under a key, before it asked Stripe. Where Stripe refused another call with the key meanwhile,
    that freed it, and it is spent again; where yet another call then began something else under it, the key is that one's."""
    if stored is None:
        yield from record_key(unit, key, reply, resource_id)
    elif stored.resource_id == resource_id:
        yield from answer_key(key.id, reply)


def audit(unit: Unit, caller: Caller, account_id: str, detail: Mapping[str, Any]) -> Work[None]:
    """Who did what, when, from where."""
    line = AuditRow(unit.ids("aud"), unit.now_us, caller.name, caller.peer, caller.method, account_id, orjson.dumps(detail).decode())
    yield from AUDIT.add(line)


@dataclass(frozen=True, slots=True)
class Request:
    """What every changing request carries."""

    key: IdempotencyKey
    caller: Caller


def once(
    environment: Environment,
    request: Request,
    account_ids: Sequence[str],
    effect: Callable[[Unit], Work[bytes]],
    *,
    detail: Mapping[str, Any],
    make_missing: bool = False,
) -> Work[Answer]:
    """Has an effect once for a key: the original reply for a repeat, else the effect's own, stored with it."""
    unit = yield from begin(environment, account_ids, make_missing=make_missing)
    stored = yield from find_key(request.key)
    if stored is not None:
        assert stored.reply is not None, "a one-step command spends its key together with its reply"
        return Answer(stored.reply, replayed=True)
    reply = yield from effect(unit)
    yield from unit.write()
    yield from record_key(unit, request.key, reply)
    yield from audit(unit, request.caller, request.key.account_id, detail)
    return Answer(reply, replayed=False)
