"""The shape of every changing command: lock, find the key, decide, write, record the key and leave an audit record, in
one transaction.

A command brings its effect and nothing else. Only this file, `provider_step` and the batch of `posting` find keys,
record them or replay answers. What must be kept with an effect is written in `record`.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from billing_service.domain.access.audit import AuditRecord
from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.events import BusinessEvent, EventKind
from billing_service.domain.ledger.holds import book_ended_holds
from billing_service.domain.ledger.thresholds import tell_crossings
from billing_service.domain.promotions.referrals import CODE_RANDOM_BYTES, code_from_random
from billing_service.domain.refusals import account_not_found
from billing_service.domain.sales.purchases import Purchase
from billing_service.domain.spending.deductions import STANDARD_TERMS, SpendingTerms
from billing_service.domain.spending.limits import count_decided
from billing_service.ledger.keys import Answer, IdempotencyKey, key_row
from billing_service.ledger.returned_bonuses import note_returns
from billing_service.storage.rows import outbox
from billing_service.storage.rows.access import AUDIT, lock_keys
from billing_service.storage.rows.catching_up import lock_accounts
from billing_service.storage.rows.hold_reading import fetch_holds
from billing_service.storage.rows.keys import StoredKey, find_keys, insert_keys
from billing_service.storage.rows.ledger import write_accounts
from billing_service.storage.rows.profiles import ensure_account
from billing_service.storage.rows.purchases import PURCHASES, read_purchase
from billing_service.storage.rows.spend_limits import fetch_limits, missing_limits
from billing_service.storage.statements import Work


class Sources(NamedTuple):
    """What a unit takes from outside the database."""

    clock_us: Callable[[], int]
    ids: Ids
    random_bytes: Callable[[int], bytes]
    terms: SpendingTerms = STANDARD_TERMS

    def new_referral_code(self) -> str:
        return code_from_random(self.random_bytes(CODE_RANDOM_BYTES))


class Caller(NamedTuple):
    """Who calls, for idempotency, statements and the audit log."""

    name: str
    peer: str
    method: str
    is_admin: bool = False
    """Whether it has the scope admin."""


@dataclass(frozen=True, slots=True)
class Request:
    """What every changing request carries."""

    key: IdempotencyKey
    caller: Caller


@dataclass(slots=True)
class Unit:
    """One transaction in progress, its accounts locked. Each run of a unit of work makes its own."""

    ids: Ids
    accounts: dict[str, Account]
    now_us: int
    detail: dict[str, Any] = field(default_factory=dict)
    """What an effect adds to its audit record, by field."""
    terms: SpendingTerms = STANDARD_TERMS
    _noted: dict[str, int] = field(default_factory=dict)
    """By account, how many of its transactions in this unit `note_returns` has looked at."""
    _changed_purchases: dict[tuple[str, str], Purchase] = field(default_factory=dict)
    _events: list[tuple[str, BusinessEvent]] = field(default_factory=list)

    def account(self, account_id: str) -> Account:
        """A locked account. Raises ACCOUNT_NOT_FOUND."""
        account = self.accounts.get(account_id)
        if account is None:
            raise account_not_found(account_id)
        return account

    def purchase(self, account_id: str, purchase_id: str) -> Work[Purchase | None]:
        """A purchase of a locked account, as this unit has changed it."""
        changed = self._changed_purchases.get((account_id, purchase_id))
        return changed or (yield from read_purchase(account_id, purchase_id))

    def change(self, purchase: Purchase) -> None:
        """Notes that a purchase of a locked account was changed. However often that is, its row is written once."""
        known = self._changed_purchases.setdefault((purchase.account_id, purchase.purchase_id), purchase)
        assert known is purchase, "a unit has one record of a purchase"

    def note_returns(self) -> Work[None]:
        """Notes what came back into bonus lots that were taken back, since it was last asked to."""
        for account_id, account in self.accounts.items():
            self._noted[account_id] = yield from note_returns(
                account, self._noted.get(account_id, 0), now_us=self.now_us, ids=self.ids, terms=self.terms
            )

    def tell(self, account_id: str, kind: EventKind, subject_id: str, detail: Mapping[str, str | int]) -> None:
        """Notes a business event of a locked account, which is written with what was decided on it."""
        self._events.append((account_id, BusinessEvent(self.ids("evt"), kind, self.now_us, subject_id, detail)))

    def write(self) -> Work[None]:
        """Writes what was decided on its accounts and purchases, and their business events."""
        for account in self.accounts.values():
            count_decided(account, (), self.terms.windows)
        tell_crossings(self.accounts.values(), self.ids)
        rows = [outbox.row_of(self.account(account_id), event) for account_id, event in self._events]
        told = [outbox.INSERT.many(rows)] if rows else []
        yield from write_accounts(list(self.accounts.values()), beside=told)
        self._events.clear()
        for purchase in self._changed_purchases.values():
            yield from PURCHASES.replace(purchase)


class SecretReply(NamedTuple):
    """A reply that holds a secret, which is sent once and never kept."""

    sent: bytes
    kept: bytes
    """The same without its secret: what a repeat is answered with."""


Effect = Callable[[Unit], bytes | SecretReply | Work[bytes] | Work[SecretReply]]
"""Decides and writes what a command does; answers its reply. A plain function, or a generator where it reads or writes
rows by itself. What was decided on the unit's accounts is written for it. It may run several times, each on a unit of
its own."""


def begin(sources: Sources, account_ids: Sequence[str], *, make_missing: bool = False) -> Work[Unit]:
    """Locks accounts in order of their ids; with `make_missing`, makes those that are not there. Then books the holds
    that have ended, so that nothing is decided on credits that came back or were captured."""
    ordered = sorted(set(account_ids))
    if make_missing:
        for account_id in ordered:
            yield from ensure_account(account_id, sources.clock_us(), sources.new_referral_code)
    accounts = (yield from lock_accounts(ordered)) if ordered else {}
    clock_us = sources.clock_us()
    now_us = max([clock_us, *(account.moment(clock_us) for account in accounts.values())])
    unit = Unit(sources.ids, accounts, now_us, terms=sources.terms)
    if any(account.has_ended_holds(now_us) for account in accounts.values()):
        yield from fetch_holds(accounts, (), now_us)
        missing = missing_limits(accounts, ())
        if missing:
            yield from fetch_limits(accounts, missing)
        for account in accounts.values():
            book_ended_holds(account, now_us=now_us, ids=sources.ids)
            count_decided(account, (), sources.terms.windows)
        yield from unit.note_returns()
    return unit


def once(
    sources: Sources,
    request: Request,
    account_ids: Sequence[str],
    effect: Effect,
    *,
    detail: Mapping[str, Any] = MappingProxyType({}),
    make_missing: bool = False,
) -> Work[Answer]:
    """Has an effect once for a key: the original reply for a repeat, else the effect's own, stored with it.

    A key of no account has no account's lock to be found under: such commands run one at a time. Raises
    IDEMPOTENCY_KEY_REUSED, and what the effect raises.
    """
    if not request.key.account_id:
        yield from lock_keys()
    unit = yield from begin(sources, account_ids, make_missing=make_missing)
    earlier = yield from earlier_answer(request.key)
    if earlier is not None:
        return earlier
    decided = effect(unit)
    reply = (yield from decided) if isinstance(decided, Generator) else decided
    yield from unit.write()
    sent, kept = reply if isinstance(reply, SecretReply) else (reply, reply)
    yield from record(unit, request, detail, kept)
    return Answer(sent, replayed=False)


def earlier_answer(key: IdempotencyKey) -> Work[Answer | None]:
    """The answer that a key has got already; None while it is free. Sure under the lock of the key's account alone;
    before it, it spares a repeat what its first call did. Raises IDEMPOTENCY_KEY_REUSED."""
    stored = yield from find_key(key)
    if stored is None:
        return None
    answer = key.replay(stored)
    assert answer is not None, "a one-step command spends its key together with its reply"
    return answer


def find_key(key: IdempotencyKey) -> Work[StoredKey | None]:
    """The key as it was spent by the same request; None when it is free. To be asked under the account's lock.
    Raises IDEMPOTENCY_KEY_REUSED."""
    stored = (yield from find_keys([key.id])).get(key.id)
    return None if stored is None else key.check(stored)


def record_key(unit: Unit, key: IdempotencyKey, reply: bytes | None, resource_id: str = "") -> Work[None]:
    yield from insert_keys([key_row(key, reply, resource_id, unit.now_us)])


def audit(unit: Unit, caller: Caller, account_id: str, detail: Mapping[str, Any]) -> Work[None]:
    """Who did what, when, from where."""
    text = orjson.dumps({**detail, **unit.detail}).decode()
    yield from AUDIT.add(
        AuditRecord(unit.ids("aud"), unit.now_us, caller.name, caller.peer, caller.method, account_id, text)
    )


def record(
    unit: Unit, request: Request, detail: Mapping[str, Any], reply: bytes | None, resource_id: str = ""
) -> Work[None]:
    """What is kept with every effect, in its transaction."""
    yield from record_key(unit, request.key, reply, resource_id)
    yield from audit(unit, request.caller, request.key.account_id, detail)
