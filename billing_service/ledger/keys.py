"""Idempotency: what makes a request the same request."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from billing_service.domain.refusals import key_reused
from billing_service.storage.rows.keys import KeyId, StoredKey

_FINGERPRINT_BYTES = 16


class Answer(NamedTuple):
    """The answer of a caller, in the form in which it is stored."""

    reply: bytes
    replayed: bool


@dataclass(slots=True, frozen=True)
class IdempotencyKey:
    """A caller's key for one request: scoped to account, caller and method."""

    account_id: str
    value: str
    scope: str
    """`caller/method`."""
    fingerprint: bytes

    @property
    def id(self) -> KeyId:
        return (self.account_id, self.value, self.scope)

    def check(self, stored: StoredKey) -> StoredKey:
        """Raises IDEMPOTENCY_KEY_REUSED when the key was spent by a request that says something else."""
        if stored.fingerprint != self.fingerprint:
            raise key_reused(self.value)
        return stored

    def replay(self, stored: StoredKey) -> Answer | None:
        """The answer that the key has got, for a repeat of its request; None while what it began has not ended.
        Raises IDEMPOTENCY_KEY_REUSED."""
        reply = self.check(stored).reply
        return None if reply is None else Answer(reply, replayed=True)


def fingerprint(*fields: Any) -> bytes:
    """A digest of what a request means: its fields with defaults filled in, maps in order of their keys. Never of its
    bytes."""
    return blake2b(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS), digest_size=_FINGERPRINT_BYTES).digest()
