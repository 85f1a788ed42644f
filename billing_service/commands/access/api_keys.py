"""API keys: made, listed, revoked, looked up. A secret exists once, in the answer that made it."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from billing_service.clock import ClockUs, TimeOrderedIds
from billing_service.commands.environment import Environment
from billing_service.domain.access.api_keys import ENTROPY_BYTES, ApiKey, NewKey, Scope, hash_key, make_key, scopes_text
from billing_service.domain.access.audit import AuditRecord
from billing_service.domain.refusals import invalid_field
from billing_service.domain.refusals.access import api_key_not_found
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, SecretReply, Unit, once
from billing_service.storage.rows.access import (
    API_KEYS,
    AUDIT,
    keys_of_caller,
    list_keys,
    lock_keys,
    read_key,
    revoke_key,
)
from billing_service.storage.statements import Work
from billing_service.storage.store import Store

OFFLINE = "offline"
"""Who made a key, and from where, when no service was asked: whoever had the database at hand."""
LIVE_KEYS_MAX = 2
"""Of one caller: the old and the new one of a rotation."""


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """A valid request."""

    request: Request
    caller: str
    scopes: Sequence[Scope]
    expire_time_us: int | None
    account_ids: Sequence[str]
    """What the key is bound to; none: it may act on all accounts."""
    spender_ids: Sequence[str]
    """Whom its charges count for, in this order."""
    encode: Callable[[ApiKey, str], bytes]
    """Takes the secret for the answer, and an empty one for what is stored to be replayed."""


async def create_api_key(environment: Environment, command: CreateApiKey) -> Answer:
    """Raises INVALID_FIELD for an expiry that is past or a third live key of one caller."""
    new = make_key(environment.random_bytes(ENTROPY_BYTES))

    def effect(unit: Unit) -> Work[SecretReply]:
        row = yield from add_key(
            new,
            environment.api_key_pepper,
            command.caller,
            command.scopes,
            account_ids=command.account_ids,
            spender_ids=command.spender_ids,
            now_us=unit.now_us,
            expire_time_us=command.expire_time_us,
        )
        unit.detail |= {"key_id": row.key_id, "caller": row.caller, "scopes": scopes_text(row.scopes)}
        if command.account_ids:
            unit.detail["account_ids"] = list(command.account_ids)
        if command.spender_ids:
            unit.detail["spender_ids"] = list(command.spender_ids)
        return SecretReply(command.encode(row, new.text), command.encode(row, ""))

    return await environment.store.write(lambda: once(environment.sources, command.request, [], effect))


def add_key(
    new: NewKey,
    pepper: bytes,
    caller: str,
    scopes: Sequence[Scope],
    *,
    account_ids: Sequence[str] = (),
    spender_ids: Sequence[str] = (),
    now_us: int,
    expire_time_us: int | None = None,
) -> Work[ApiKey]:
    """Keeps a key's hash; keys are to be locked. Raises INVALID_FIELD."""
    if expire_time_us is not None and expire_time_us <= now_us:
        raise invalid_field("expire_time", "must be in the future")
    live = [row for row in (yield from keys_of_caller(caller)) if row.is_live(now_us)]
    if len(live) >= LIVE_KEYS_MAX:
        raise invalid_field("caller", f"has {len(live)} live keys already; revoke one first")
    row = ApiKey(
        key_id=new.key_id,
        caller=caller,
        scopes=frozenset(scopes),
        secret_hash=hash_key(pepper, new.text),
        create_time_us=now_us,
        expire_time_us=expire_time_us,
        account_ids=tuple(account_ids),
        spender_ids=tuple(spender_ids),
    )
    yield from API_KEYS.add(row)
    return row


async def create_key_directly(
    store: Store, clock_us: ClockUs, pepper: bytes, caller: str, scopes: Sequence[Scope]
) -> str:
    """Makes a key without a running service: the first one has nobody to ask. Answers its secret."""
    new = make_key(os.urandom(ENTROPY_BYTES))

    def work() -> Work[None]:
        yield from lock_keys()
        row = yield from add_key(new, pepper, caller, scopes, now_us=clock_us())
        detail = orjson.dumps({"key_id": row.key_id, "caller": row.caller, "scopes": scopes_text(row.scopes)}).decode()
        audit_id = TimeOrderedIds(clock_us)("aud")
        yield from AUDIT.add(AuditRecord(audit_id, clock_us(), OFFLINE, OFFLINE, "CreateApiKey", "", detail))

    await store.write(work)
    return new.text


async def all_keys(environment: Environment) -> list[ApiKey]:
    return await environment.store.read(list_keys)


async def revoke_api_key(
    environment: Environment, request: Request, key_id: str, encode: Callable[[ApiKey], bytes]
) -> Answer:
    """Raises API_KEY_NOT_FOUND."""

    def effect(unit: Unit) -> Work[bytes]:
        row = yield from revoke_key(key_id, unit.now_us)
        if row is None:
            raise api_key_not_found(key_id)
        return encode(row)

    return await environment.store.write(
        lambda: once(environment.sources, request, [], effect, detail={"key_id": key_id})
    )


async def find_api_key(store: Store, key_id: str) -> ApiKey | None:
    return await store.read(lambda: read_key(key_id))
