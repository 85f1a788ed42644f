"""Idempotency: what makes a request the same request."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from billing_service.domain.refusals import key_reused
from billing_service.storage.rows.keys import KeyId, StoredKey
from billing_service.storage.statements import Row

_FINGERPRINT_BYTES = 16


class Answer(NamedTuple):
    """The answer of a caller, in the form in which it is stored."""

    reply: bytes
    replayed: bool


@dataclass(slots=True)
class IdempotencyKey:
    """A caller's key for one request: scoped to account, caller and method."""

    account_id: str
    value: str
    scope: str
    """`caller/method`. The methods that charge share one: what was charged by one is not charged again by another."""
    fingerprint: bytes
    charged_by_other: Callable[[bytes], str] | None = None
    """Of a reply that is kept: the transaction that another method of the same scope made, empty if it was this one."""

    @property
    def id(self) -> KeyId:
        return (self.account_id, self.value, self.scope)

    def check(self, stored: StoredKey) -> StoredKey:
        """Raises IDEMPOTENCY_KEY_REUSED when the key was spent by a request that says something else."""
        if stored.fingerprint != self.fingerprint:
            other = self.charged_by_other
            raise key_reused(self.value, "" if other is None or stored.reply is None else other(stored.reply))
        return stored

    def replay(self, stored: StoredKey) -> Answer | None:
        """The answer that the key has got, for a repeat of its request; None while what it began has not ended.
        Raises IDEMPOTENCY_KEY_REUSED."""
        reply = self.check(stored).reply
        return None if reply is None else Answer(reply, replayed=True)


def key_row(key: IdempotencyKey, reply: bytes | None, resource_id: str, now_us: int) -> Row:
    """A row of idempotency keys."""
    return (key.account_id, key.value, key.scope, key.fingerprint, reply, resource_id, now_us)


def fingerprint(*fields: Any) -> bytes:
    """A digest of what a request means: its fields with defaults filled in, maps in order of their keys. Never of its
    bytes."""
    return blake2b(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS), digest_size=_FINGERPRINT_BYTES).digest()
